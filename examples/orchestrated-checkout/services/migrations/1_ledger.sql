-- What was commanded, and the answer that was given: whoever is asked again gives it again.
CREATE TABLE ledger (
    saga TEXT NOT NULL,
    command TEXT NOT NULL,
    refusal TEXT,
    PRIMARY KEY (saga, command)
);
-- Of the stock alone.
CREATE TABLE shelf (
    item TEXT PRIMARY KEY,
    available INTEGER NOT NULL
);
INSERT INTO shelf VALUES ('lamp', 1000), ('chair', 3);
