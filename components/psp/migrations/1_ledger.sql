CREATE TABLE charges (
  id TEXT PRIMARY KEY,
  idempotency_key TEXT NOT NULL UNIQUE,
  order_id TEXT NOT NULL,
  amount_cents BIGINT NOT NULL CHECK (amount_cents >= 0),
  currency TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('charged', 'declined', 'refunded')),
  created_at BIGINT NOT NULL
);

CREATE INDEX charges_by_order ON charges (order_id);

-- How often a key was asked for with a token that fails at first.
CREATE TABLE attempts (
  idempotency_key TEXT PRIMARY KEY,
  seen BIGINT NOT NULL
);
