//! What a guest's statement may begin with. The server is what keeps a guest inside its own schema: its statements run
//! as a role that owns that and nothing else. This is about what would outlive the statement or end the host's own
//! transaction: it is refused by what the text begins with, which PostgreSQL's extended protocol makes enough, as it
//! takes one statement at a time.

use std::str::Chars;

use crate::error::StorageError;
use crate::options::SQL_BYTES_MAX;

/// What a statement may begin with.
const ALLOWED: [&str; 21] = [
    "select", "with", "values", "table", "insert", "update", "delete", "merge", "explain", "create", "alter", "drop",
    "comment", "truncate", "analyze", "reindex", "lock", "do", "call", "refresh", "cluster",
];
/// What would change roles or the server, after the first word.
const OBJECTS_DENIED: [&str; 14] = [
    "role",
    "user",
    "group",
    "system",
    "database",
    "default",
    "tablespace",
    "server",
    "extension",
    "subscription",
    "publication",
    "event",
    "language",
    "foreign",
];

/// Look at a statement of a guest.
pub(super) fn check(sql: &str) -> Result<(), StorageError> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(StorageError::Invalid(format!("a statement has {SQL_BYTES_MAX} bytes at most")));
    }
    check_words(sql)
}

/// Look at one statement of a migration, whose length was bounded with its file.
pub(super) fn check_words(sql: &str) -> Result<(), StorageError> {
    if sql.contains('\0') {
        return Err(StorageError::Invalid("the text contains a NUL character".to_owned()));
    }
    let [first, second] = words(sql);
    if first.is_empty() {
        return Err(StorageError::Invalid("there is no statement in the text".to_owned()));
    }
    if !first.starts_with(|c: char| c.is_ascii_alphabetic()) {
        // The server says what is wrong with it.
        return Ok(());
    }
    match first.as_str() {
        "begin" | "start" | "commit" | "end" | "rollback" | "abort" | "savepoint" | "release" => Err(denied(
            "transactions are not controlled by SQL: use hull:transactions (an event handler is in one already)",
        )),
        "set" | "reset" | "discard" | "show" => {
            Err(denied("settings may not be read or set: they would outlive the statement"))
        }
        "grant" | "revoke" | "reassign" | "security" => {
            Err(denied("rights are the host's: a component's tables are its own and nobody else's"))
        }
        "copy" => Err(denied("COPY may not be used")),
        "vacuum" => Err(denied("VACUUM may not be used: it is up to the server and the host")),
        "prepare" | "execute" | "deallocate" | "declare" | "fetch" | "move" | "close" | "listen" | "unlisten"
        | "notify" | "load" | "import" | "checkpoint" => {
            Err(denied(&format!("{} may not be used: it would outlive the statement", first.to_uppercase())))
        }
        "alter" | "create" | "drop" if OBJECTS_DENIED.contains(&second.as_str()) => {
            Err(denied(&format!("{} {} may not be used", first.to_uppercase(), second.to_uppercase())))
        }
        "create" if matches!(second.as_str(), "temp" | "temporary" | "local" | "global" | "unlogged") => Err(denied(
            "temporary and unlogged tables would outlive the invocation or not outlive a crash: they may not be used",
        )),
        word if ALLOWED.contains(&word) => Ok(()),
        // A word that a later server may know is not let through unseen.
        word => Err(StorageError::Invalid(format!("a statement does not begin with {word} here"))),
    }
}

/// Whether a statement only reads, by what it begins with.
pub(super) fn only_reads(sql: &str) -> bool {
    matches!(words(sql)[0].as_str(), "select" | "values" | "table" | "explain" | "(")
}

fn denied(reason: &str) -> StorageError {
    StorageError::Denied(reason.to_owned())
}

/// The first two words in lower case, without comments. What is no word is the character itself.
fn words(sql: &str) -> [String; 2] {
    let mut rest = sql.chars();
    [next_word(&mut rest), next_word(&mut rest)]
}

fn next_word(rest: &mut Chars<'_>) -> String {
    skip_blank(rest);
    let text = rest.as_str();
    let length = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let (word, after) = text.split_at_checked(length).unwrap_or((text, ""));
    if word.is_empty() {
        return rest.next().map(String::from).unwrap_or_default();
    }
    *rest = after.chars();
    word.to_ascii_lowercase()
}

/// Skip white space, comments and empty statements.
fn skip_blank(rest: &mut Chars<'_>) {
    loop {
        let text = rest.as_str();
        let trimmed = text.trim_start_matches(|c: char| c.is_whitespace() || c == ';' || c == '\u{b}');
        *rest = trimmed.chars();
        if trimmed.starts_with("--") {
            *rest = trimmed.split_once('\n').map_or("", |(_, after)| after).chars();
        } else if trimmed.starts_with("/*") {
            *rest = after_comment(trimmed).chars();
        } else if trimmed.len() == text.len() {
            return;
        }
    }
}

/// What comes after a comment in `/* */`, which may hold others.
fn after_comment(text: &str) -> &str {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return text.get(at..).unwrap_or_default();
            }
        } else {
            match rest.chars().next() {
                Some(c) => at += c.len_utf8(),
                None => return "",
            }
        }
    }
}

/// The statements of a script, cut at the semicolons that are not inside of anything.
pub(super) fn statements(script: &str) -> Vec<&str> {
    let (mut found, mut begin, mut at) = (Vec::new(), 0, 0);
    let mut keep = |from: usize, to: usize| {
        if let Some(statement) = script.get(from..to)
            && !words(statement)[0].is_empty()
        {
            found.push(statement);
        }
    };
    let mut depth = 0_usize;
    while let Some(rest) = script.get(at..).filter(|rest| !rest.is_empty()) {
        let c = rest.chars().next().unwrap_or(' ');
        // The body of a function that is written without quotes has semicolons of its own.
        if c == ';' && depth == 0 {
            keep(begin, at);
            begin = at + 1;
        }
        if let Some(word) = leading_word(rest, script.get(..at).unwrap_or_default()) {
            match word.to_ascii_lowercase().as_str() {
                "atomic" => depth += 1,
                "case" if depth > 0 => depth += 1,
                "end" if depth > 0 => depth -= 1,
                _ => {}
            }
            at += word.len();
        } else {
            at += inside(rest).max(c.len_utf8());
        }
    }
    keep(begin, script.len());
    found
}

/// The word that begins here, unless it is the rest of one.
fn leading_word<'a>(rest: &'a str, before: &str) -> Option<&'a str> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    if before.ends_with(is_part) || !rest.starts_with(|c: char| c.is_alphabetic() || c == '_') {
        return None;
    }
    let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    // E'..' is a text in which a backslash escapes.
    let word = rest.get(..length)?;
    let is_escape_text = word.eq_ignore_ascii_case("e") && rest.get(length..)?.starts_with('\'');
    (!is_escape_text).then_some(word)
}

/// How many bytes the text, name or comment has that begins here; 0 if none does.
fn inside(rest: &str) -> usize {
    let after = |end: usize| rest.len().min(end);
    if rest.starts_with("--") {
        return after(rest.find('\n').map_or(rest.len(), |end| end + 1));
    }
    if rest.starts_with("/*") {
        return rest.len() - after_comment(rest).len();
    }
    if rest.starts_with(['e', 'E']) {
        return 1 + quoted_length(rest.get(1..).unwrap_or_default(), '\'', true);
    }
    if rest.starts_with('\'') {
        return quoted_length(rest, '\'', false);
    }
    if rest.starts_with('"') {
        return quoted_length(rest, '"', false);
    }
    let Some(tag_rest) = rest.strip_prefix('$') else { return 0 };
    let tag_length = tag_rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(tag_rest.len());
    if tag_rest.starts_with(|c: char| c.is_ascii_digit())
        || !tag_rest.get(tag_length..).unwrap_or_default().starts_with('$')
    {
        return 0;
    }
    let tag = rest.get(..tag_length + 2).unwrap_or_default();
    let body = rest.get(tag.len()..).unwrap_or_default();
    body.find(tag).map_or(rest.len(), |end| tag.len() + end + tag.len())
}

/// How long a quoted text is; a quote that is doubled does not end it.
fn quoted_length(text: &str, quote: char, escapes: bool) -> usize {
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = characters.next() {
        if escapes && c == '\\' {
            characters.next();
        } else if c == quote {
            if characters.peek().is_some_and(|(_, next)| *next == quote) {
                characters.next();
            } else {
                return at + 1;
            }
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::{check, only_reads, statements};
    use crate::error::StorageError;

    #[test]
    fn what_controls_transactions_sessions_and_rights_is_denied() {
        for sql in [
            "BEGIN",
            " commit",
            "/* a /* nested */ */ Rollback",
            "-- x\nSAVEPOINT a",
            "; END",
            "SET ROLE postgres",
            "reset role",
            "SET SESSION AUTHORIZATION x",
            "COPY t TO PROGRAM 'x'",
            "PREPARE a AS SELECT 1",
            "GRANT SELECT ON t TO PUBLIC",
            "ALTER ROLE x SUPERUSER",
            "alter\n default privileges GRANT SELECT",
            "CREATE TEMP TABLE x (n int)",
            "LISTEN x",
            "DISCARD ALL",
            "VACUUM",
            "CREATE USER x",
            "SHOW all",
        ] {
            assert!(matches!(check(sql), Err(StorageError::Denied(_))), "{sql}: {:?}", check(sql));
        }
        for sql in ["", " ; ", "-- nothing", "/* */", "a\0b"] {
            assert!(matches!(check(sql), Err(StorageError::Invalid(_))), "{sql:?}");
        }
        for sql in ["SELECT 1", "WITH x AS (SELECT 1) SELECT 1", "create table t (n int)", "(SELECT 1)", "DO $$ $$"] {
            assert_eq!(check(sql), Ok(()), "{sql}");
        }
    }

    #[test]
    fn reading_is_told_by_the_first_word() {
        assert!(only_reads("/* x */ SELECT 1") && only_reads("(select 1)"));
        assert!(!only_reads("WITH x AS (DELETE FROM t) SELECT 1") && !only_reads("INSERT INTO t VALUES (1)"));
    }

    #[test]
    fn scripts_are_cut_outside_of_texts_names_bodies_and_comments() {
        let script = "CREATE TABLE \"a;b\" (n text DEFAULT 'x;''y'); -- c;d\n/* e; /* f; */ */ INSERT INTO t VALUES \
                      (E'\\';', $1, 'z');\nCREATE FUNCTION g() RETURNS int AS $body$ BEGIN; END; $body$ LANGUAGE sql;;\n\
                      CREATE FUNCTION h() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;\n\
                      SELECT 1 AS re, 'x;';";
        let cut = statements(script);
        assert_eq!(cut.len(), 5, "{cut:#?}");
        assert!(cut[1].contains("INSERT") && cut[2].ends_with("LANGUAGE sql") && cut[3].ends_with("END"));
        assert_eq!(statements(" ; -- nothing\n"), Vec::<&str>::new());
        assert_eq!(statements("SELECT 'open"), ["SELECT 'open"]);
    }
}
