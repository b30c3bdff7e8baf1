"""What each call answers, apart from how it is carried."""
