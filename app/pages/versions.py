from app import show

show.title("versions")
