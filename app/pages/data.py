from app import show

show.title("data")
