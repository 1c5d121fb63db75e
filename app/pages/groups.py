from app import show

show.title("groups")
