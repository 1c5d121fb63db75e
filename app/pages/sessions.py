from app import show

show.title("sessions")
