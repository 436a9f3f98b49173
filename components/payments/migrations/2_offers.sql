-- How an order is to be paid: here and nowhere else, and only until the provider has said what became of it.
CREATE TABLE offers (
  order_id TEXT PRIMARY KEY,
  payment_token TEXT NOT NULL,
  offered_at BIGINT NOT NULL
);

CREATE INDEX offers_by_age ON offers (offered_at);
