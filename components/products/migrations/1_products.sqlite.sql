-- `place` is the row's number: full-text search refers to rows by a number that has to stay the same.
CREATE TABLE products (
  place INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  category TEXT NOT NULL,
  price_cents BIGINT NOT NULL CHECK (price_cents >= 0),
  currency TEXT NOT NULL
);

CREATE INDEX products_by_category ON products (category, name);

CREATE VIRTUAL TABLE products_search USING fts5 (
  name, description, category,
  content = 'products', content_rowid = 'place',
  tokenize = 'porter unicode61 remove_diacritics 2'
);

CREATE TRIGGER products_search_added AFTER INSERT ON products BEGIN
  INSERT INTO products_search (rowid, name, description, category)
  VALUES (new.place, new.name, new.description, new.category);
END;

CREATE TRIGGER products_search_removed AFTER DELETE ON products BEGIN
  INSERT INTO products_search (products_search, rowid, name, description, category)
  VALUES ('delete', old.place, old.name, old.description, old.category);
END;

CREATE TRIGGER products_search_changed AFTER UPDATE ON products BEGIN
  INSERT INTO products_search (products_search, rowid, name, description, category)
  VALUES ('delete', old.place, old.name, old.description, old.category);
  INSERT INTO products_search (rowid, name, description, category)
  VALUES (new.place, new.name, new.description, new.category);
END;
