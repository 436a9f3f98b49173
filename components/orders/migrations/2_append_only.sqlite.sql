-- An append-only table that says so itself.
CREATE TRIGGER order_events_never_change BEFORE UPDATE ON order_events BEGIN
  SELECT RAISE(ABORT, 'order_events is append-only');
END;

CREATE TRIGGER order_events_never_go BEFORE DELETE ON order_events BEGIN
  SELECT RAISE(ABORT, 'order_events is append-only');
END;
