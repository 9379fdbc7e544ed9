//! Where a name in a text begins and ends as a word. The base is UAX #29: letters, digits, marks
//! and underscores make words. What languages write together with a name is added to that.

use super::script::Script;
use super::text::Unit;

/// Names with fewer letters than this must not stand in a word with a hyphen, as `X` in `X-ray`.
const HYPHENATED_LETTERS_MIN: usize = 3;

/// What French, Italian and Catalan write with an apostrophe before a word.
const ELISIONS: [&str; 23] = [
    "l", "d", "j", "m", "t", "s", "c", "n", "qu", "jusqu", "lorsqu", "puisqu", "un", "all", "dell",
    "dall", "nell", "sull", "coll", "quell", "bell", "sant", "gl",
];

/// What Arabic writes together with the word that follows: and, so, by, for, like, the.
const ARABIC_PREFIXES: [&str; 18] = [
    "و", "ف", "ب", "ل", "ك", "ال", "وال", "فال", "بال", "كال", "لل", "ول", "وب", "وك", "فب", "فل",
    "ولل", "وبال",
];

/// The letters that Hebrew writes together with the word that follows, at most three of them.
const HEBREW_PREFIXES: &str = "והבלמשכ";
const HEBREW_PREFIX_LETTERS_MAX: usize = 3;

/// What Korean writes together with the noun before it.
const KOREAN_PARTICLES: [&str; 52] = [
    "은",
    "는",
    "이",
    "가",
    "을",
    "를",
    "의",
    "에",
    "와",
    "과",
    "도",
    "로",
    "으로",
    "만",
    "랑",
    "나",
    "이랑",
    "이나",
    "에서",
    "에게",
    "한테",
    "까지",
    "부터",
    "보다",
    "처럼",
    "하고",
    "께서",
    "같은",
    "라는",
    "이라는",
    "라고",
    "이라고",
    "라면",
    "이라면",
    "이며",
    "이고",
    "이다",
    "입니다",
    "인데",
    "인",
    "에는",
    "에도",
    "에서는",
    "에서도",
    "으로는",
    "로는",
    "와의",
    "과의",
    "만의",
    "만큼",
    "이든",
    "들",
];

/// Returns whether the name of `letters` letters at `start..end` stands as a word.
pub(super) fn is_word(units: &[Unit], start: usize, end: usize, letters: usize) -> bool {
    begins(units, start, letters) && ends(units, end, letters)
}

fn begins(units: &[Unit], start: usize, letters: usize) -> bool {
    let (before, rest) = units.split_at(start);
    let (Some(&previous), Some(&first)) = (before.last(), rest.first()) else { return true };
    if !first.is_word() {
        // `.NET` does not begin in `ASP.NET`.
        return !previous.is_word();
    }
    if previous.is_word() {
        return previous.exact != '_'
            && (previous.script().breaks_before(first.script()) || follows_prefix(before));
    }
    let Some(&beyond) = before.iter().rev().nth(1).filter(|unit| unit.is_word()) else {
        return true;
    };
    match previous.exact {
        '\'' => follows_elision(&before[..before.len() - 1]),
        '&' => false,
        '-' | '+' => {
            letters >= HYPHENATED_LETTERS_MIN || follows_prefix(&before[..before.len() - 1])
        }
        '.' | ',' => {
            !(beyond.is_digit() && first.is_digit())
                && (letters >= HYPHENATED_LETTERS_MIN || previous.exact == ',')
        }
        _ => true,
    }
}

fn ends(units: &[Unit], end: usize, letters: usize) -> bool {
    let (name, after) = units.split_at(end);
    let (Some(&last), Some(&next)) = (name.last(), after.first()) else { return true };
    if !last.is_word() {
        // `C+` does not end in `C++`.
        return next.exact != last.exact;
    }
    if next.is_word() {
        let is_letter = next.exact.is_alphanumeric();
        let breaks = is_letter && next.exact != '_' && last.script().breaks_before(next.script());
        return breaks || is_particle(after);
    }
    let Some(&beyond) = after.get(1).filter(|unit| unit.is_word()) else {
        return letters >= HYPHENATED_LETTERS_MIN || !matches!(next.exact, '+' | '#');
    };
    match next.exact {
        '\'' => letters >= HYPHENATED_LETTERS_MIN || beyond.folded == 's',
        '&' => false,
        '-' | '+' | '#' => letters >= HYPHENATED_LETTERS_MIN,
        '.' | ',' => {
            !(last.is_digit() && beyond.is_digit())
                && (letters >= HYPHENATED_LETTERS_MIN || next.exact == ',')
        }
        _ => true,
    }
}

/// Returns the word at the end of some units, first letter first.
fn last_word(units: &[Unit]) -> String {
    let letters = units.iter().rev().take_while(|unit| unit.is_word());
    let letters: Vec<char> = letters.take(8).map(|unit| unit.folded).collect();
    letters.into_iter().rev().collect()
}

fn follows_elision(before: &[Unit]) -> bool {
    ELISIONS.contains(&last_word(before).as_str())
}

/// Returns whether what stands before is a word of Arabic or Hebrew prefixes alone.
fn follows_prefix(before: &[Unit]) -> bool {
    let word = last_word(before);
    match before.last().map(|unit| unit.script()) {
        Some(Script::Arabic) => ARABIC_PREFIXES.contains(&word.as_str()),
        Some(Script::Hebrew) => {
            let letters = word.chars().count();
            letters <= HEBREW_PREFIX_LETTERS_MAX
                && word.chars().all(|c| HEBREW_PREFIXES.contains(c))
        }
        Some(_) | None => false,
    }
}

/// Returns whether what stands after is a Korean particle and ends the word.
fn is_particle(after: &[Unit]) -> bool {
    let letters = after.iter().take_while(|unit| unit.is_word()).take(8);
    let word: String = letters.map(|unit| unit.exact).collect();
    KOREAN_PARTICLES.contains(&word.as_str())
}
