from app import show

show.title("templates")
