-- How words are looked for, which is where databases differ.
CREATE VIEW search_by AS SELECT 'fts5' AS name;
