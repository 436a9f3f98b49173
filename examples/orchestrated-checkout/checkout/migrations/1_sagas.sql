-- One row for each checkout: where its saga is, as JSON. It changes in the same transaction that sends the next command.
CREATE TABLE sagas (
    id TEXT PRIMARY KEY,
    purchase TEXT NOT NULL,
    saga TEXT NOT NULL
);
