-- The truth: what happened to each order, in its order. Rows are added and never changed.
CREATE TABLE order_events (
  order_id TEXT NOT NULL,
  version BIGINT NOT NULL CHECK (version > 0),
  at BIGINT NOT NULL,
  fact TEXT NOT NULL,
  PRIMARY KEY (order_id, version)
);

-- The state of an order at one of its events, so that a long history need not be read from its beginning.
CREATE TABLE order_snapshots (
  order_id TEXT NOT NULL,
  version BIGINT NOT NULL,
  at BIGINT NOT NULL,
  state TEXT NOT NULL,
  PRIMARY KEY (order_id, version)
);

-- The read model: made from the events, and from nothing else.
CREATE TABLE order_view (
  order_id TEXT PRIMARY KEY,
  user_id TEXT NOT NULL,
  status TEXT NOT NULL,
  state TEXT NOT NULL
);

CREATE INDEX order_view_by_user ON order_view (user_id, order_id);

-- Which order a client's key has made, from which request.
CREATE TABLE placements (
  idempotency_key TEXT PRIMARY KEY,
  request TEXT NOT NULL,
  order_id TEXT NOT NULL
);
