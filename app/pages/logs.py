from app import show

show.title("logs")
