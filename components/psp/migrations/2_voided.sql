-- A key that was called off before anything was charged with it, and never will be.
ALTER TABLE charges ADD COLUMN voided BOOLEAN NOT NULL DEFAULT FALSE;
