from app import show

show.title("explain")
