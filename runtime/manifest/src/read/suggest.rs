//! "Did you mean": the known word that a misspelt one is closest to.

/// What to write instead of `word`: the word it is near to, or the whole list of those `known`.
pub(crate) fn did_you_mean(word: &str, known: &[impl AsRef<str>], list_name: &str) -> String {
    let plain = |word: &str| word.to_ascii_lowercase().replace(['-', '_', ' '], "");
    let near = known
        .iter()
        .map(|known| (strsim::osa_distance(&plain(word), &plain(known.as_ref())), known.as_ref()))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 5 && *distance < known.len())
        .min();
    if let Some((_, near)) = near {
        return format!("did you mean `{near}`?");
    }
    let mut all: Vec<&str> = known.iter().map(AsRef::as_ref).collect();
    all.sort_unstable();
    all.dedup();
    if all.is_empty() { format!("there are no {list_name}") } else { format!("{list_name}: {}", all.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::did_you_mean;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let known = ["source", "allowed_outbound_hosts", "time", "cpu-rate"];
        for (word, near) in [
            ("sorce", "source"),
            ("allowed_outbound_host", "allowed_outbound_hosts"),
            ("cpu_rate", "cpu-rate"),
            ("tiem", "time"),
        ] {
            assert_eq!(did_you_mean(word, &known, "known keys"), format!("did you mean `{near}`?"));
        }
        let list = "known keys: allowed_outbound_hosts, cpu-rate, source, time";
        assert_eq!(did_you_mean("banana", &known, "known keys"), list);
        assert_eq!(did_you_mean("x", &[] as &[&str], "components"), "there are no components");
    }
}
