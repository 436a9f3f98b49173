CREATE TABLE stock (
  product_id TEXT PRIMARY KEY,
  available BIGINT NOT NULL CHECK (available >= 0),
  reserved BIGINT NOT NULL DEFAULT 0 CHECK (reserved >= 0),
  sold BIGINT NOT NULL DEFAULT 0 CHECK (sold >= 0)
);

-- One row for each order that was heard of, whatever came of it: what has ended does not begin again.
CREATE TABLE reservations (
  order_id TEXT PRIMARY KEY,
  state TEXT NOT NULL CHECK (state IN ('held', 'refused', 'committed', 'released'))
);

CREATE TABLE reservation_lines (
  order_id TEXT NOT NULL REFERENCES reservations (order_id),
  product_id TEXT NOT NULL,
  quantity BIGINT NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (order_id, product_id)
);
