CREATE TABLE pets (owner INTEGER NOT NULL REFERENCES people (id), name TEXT);
INSERT INTO people (name, age) VALUES ('Ada', 36);
