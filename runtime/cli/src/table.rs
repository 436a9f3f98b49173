//! Tables for people: columns as wide as what stands in them.

/// Between two columns.
const GAP: &str = "  ";

/// Lines of aligned columns, the heads first.
pub(crate) fn render<const N: usize>(heads: [&str; N], rows: &[[String; N]]) -> String {
    let heads = heads.map(str::to_owned);
    let lines = || std::iter::once(&heads).chain(rows);
    let mut widths = [0_usize; N];
    for line in lines() {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for line in lines() {
        let cells: Vec<String> = line.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        text.push_str(cells.join(GAP).trim_end());
        text.push('\n');
    }
    text
}

/// Bytes in the unit that reads best: `1.5 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut shown = format!("{bytes} B");
    for unit in UNITS {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        shown = format!("{value:.1} {unit}");
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{bytes, render};

    #[test]
    fn columns_are_as_wide_as_needed() {
        let row = |one: &str, two: &str| [one.to_owned(), two.to_owned()];
        let table = render(["NAME", "N"], &[row("orders", "1"), row("a", "")]);
        assert_eq!(table, "NAME    N\norders  1\na\n");
    }

    #[test]
    fn bytes_are_readable() {
        let all = [0, 1023, 1024, 1536 << 10, 5 << 30, u64::MAX].map(bytes);
        assert_eq!(all, ["0 B", "1023 B", "1.0 KiB", "1.5 MiB", "5.0 GiB", "16777216.0 TiB"]);
    }
}
