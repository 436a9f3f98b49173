-- One row for each order that was heard of: also for one that was cancelled before it was charged, so that whoever
-- comes second, the charge or the cancellation, meets what the other has left.
CREATE TABLE payments (
  order_id TEXT PRIMARY KEY,
  id TEXT NOT NULL,
  user_id TEXT,
  charge_id TEXT,
  amount_cents BIGINT NOT NULL DEFAULT 0 CHECK (amount_cents >= 0),
  currency TEXT,
  status TEXT NOT NULL CHECK (status IN ('awaited', 'charged', 'declined', 'refunded')),
  cancelled BOOLEAN NOT NULL,
  reason TEXT,
  created_at BIGINT NOT NULL
);
