"""Marketing events: types, validation rules, privacy at the door, columns."""
