-- Runs once, before the component serves for the first time. Later changes go into 2_….sql and so on.
CREATE TABLE notes (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL CHECK (length(text) BETWEEN 1 AND 1000)
);
