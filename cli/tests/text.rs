//! Tables and wrapped lines, as a terminal shows them: a Chinese character fills two columns, a
//! combining accent none.

use afterimage::text::{
    blanks, columns, count, cut, large_count, padded, printable, thousands, width, wrapped,
    wrapped_below, wrapped_to,
};

fn rows<const N: usize>(rows: &[[&str; N]]) -> Vec<[String; N]> {
    rows.iter().map(|row| row.map(str::to_string)).collect()
}

/// Vietnamese for "database", in letters with accents of their own and with combining accents.
const COMPOSED: &str = "cơ-sở-dữ-liệu";
const COMBINING: &str = "co\u{31b}-so\u{31b}\u{309}-du\u{31b}\u{303}-lie\u{323}\u{302}u";
/// Chinese for "database".
const CHINESE: &str = "数据库";

#[test]
fn widths_are_columns_of_a_terminal() {
    let widths = [
        ("web-1", 5),
        ("", 0),
        (CHINESE, 6),
        (COMPOSED, 13),
        (COMBINING, 13),
        ("e\u{301}", 1),
        ("ｗｅｂ", 6),
        ("웹서버", 6),
        ("🖥️", 2),
    ];
    for (text, expected) in widths {
        assert_eq!(width(text), expected, "{text}");
    }
    assert!(COMBINING.chars().count() > COMPOSED.chars().count());
}

#[test]
fn a_name_neither_ends_the_line_nor_turns_it() {
    let hidden = "a\nb\tc\u{1b}[2Jd\u{85}e\u{2028}f\u{202e}g\u{200f}h\u{2066}i\u{61c}j";
    let shown =
        "a\u{fffd}b\u{fffd}c\u{fffd}[2Jd\u{fffd}e\u{fffd}f\u{fffd}g\u{fffd}h\u{fffd}i\u{fffd}j";
    assert_eq!(printable(hidden), shown);
    for kept in [CHINESE, COMPOSED, COMBINING, "عربي", "👩‍💻", "a b"] {
        assert_eq!(printable(kept), kept);
    }
    assert_eq!(columns(&rows(&[[hidden, "x"]])), [format!("{shown}  x")]);
    assert_eq!(wrapped("a\nb\u{202e}\u{1b}c", ""), "a b\u{fffd}\u{fffd}c");
}

#[test]
fn columns_stand_below_each_other_whatever_the_names_are() {
    let table = rows(&[
        ["MACHINE", "REGION", "STATE"],
        ["web-1", "us-east-1", "protected"],
        [CHINESE, "eu-west-1", "waiting"],
        [COMPOSED, "us-east-1", "failed"],
        [COMBINING, "us-east-1", "failed"],
    ]);
    let lines = columns(&table);
    let expected = [
        "MACHINE        REGION     STATE".to_string(),
        "web-1          us-east-1  protected".to_string(),
        "数据库         eu-west-1  waiting".to_string(),
        format!("{COMPOSED}  us-east-1  failed"),
        format!("{COMBINING}  us-east-1  failed"),
    ];
    assert_eq!(lines, expected);
    let place = |line: &String| {
        let at = line.find("-east-1").or(line.find("-west-1"))?;
        Some(width(&line[..at]))
    };
    let places: Vec<usize> = lines.iter().filter_map(place).collect();
    assert_eq!(places, [17; 4], "{lines:?}");
}

#[test]
fn an_empty_column_is_left_out_and_no_line_ends_in_blanks() {
    let table = rows(&[["", "a", "long"], ["", "b", ""]]);
    assert_eq!(columns(&table), ["a  long", "b"]);
    assert_eq!(columns::<2>(&[]), Vec::<String>::new());
}

#[test]
fn lines_are_broken_where_the_terminal_would_be_full() {
    let text = format!("{CHINESE} {CHINESE} {CHINESE} ascii");
    assert_eq!(wrapped_to(15, &text, "", ""), "数据库 数据库\n数据库 ascii");
    assert_eq!(wrapped_to(15, &text, "- ", "  "), "- 数据库 数据库\n  数据库 ascii");
    assert_eq!(wrapped_to(14, &text, "- ", "  "), "- 数据库\n  数据库\n  数据库 ascii");
    let accents = format!("{COMBINING} {COMBINING}");
    assert_eq!(wrapped_to(27, &accents, "", ""), accents);
    assert_eq!(wrapped_to(26, &accents, "", ""), format!("{COMBINING}\n{COMBINING}"));
    assert_eq!(wrapped_to(4, "a-long-word b", "", " "), "a-long-word\n b", "it is not broken");
    for line in wrapped(&format!("{CHINESE} ").repeat(40), "    ").lines() {
        assert!(line.starts_with("    ") && (70..=78).contains(&width(line)), "{line}");
    }
    assert_eq!(wrapped_below("", "  good  ", "  "), "  good");
}

#[test]
fn a_long_name_is_cut_to_its_column() {
    let cases = [
        ("web-1", 5, "web-1"),
        ("web-12", 5, "web-…"),
        (CHINESE, 6, CHINESE),
        (CHINESE, 5, "数据…"),
        (CHINESE, 4, "数…"),
        ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…"),
    ];
    for (text, to, expected) in cases {
        assert_eq!(cut(text, to), expected, "{text} to {to}");
        assert!(width(expected) <= to);
    }
}

#[test]
fn blanks_are_as_wide_as_what_they_stand_for() {
    assert_eq!(padded(CHINESE, 8), "数据库  ");
    assert_eq!(padded("longer", 3), "longer");
    assert_eq!(blanks("\ta 数\tb"), "\t    \t ");
}

#[test]
fn numbers_have_their_nouns() {
    assert_eq!([count(0_u8, "machine"), count(1_u64, "machine")], ["0 machines", "1 machine"]);
    assert_eq!(
        [count(1234_usize, "call"), large_count(1234, "call")],
        ["1234 calls", "1,234 calls"]
    );
    let numbers = [0, 999, 1000, 1_234_567].map(thousands);
    assert_eq!(numbers, ["0", "999", "1,000", "1,234,567"]);
}
