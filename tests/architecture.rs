//! The rules of the house that the compiler does not know: which way imports may point, and what the
//! floors that do no I/O must not touch.
//!
//! It reads the sources as text: comments, literals and `#[cfg(test)]` items are blanked out, then
//! every path that begins with `crate`, `super`, `self` or a module of its own file is an arrow.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What each floor may import.
const FLOORS: [(&str, &[&str]); 12] = [
    ("border", &[]),
    ("limits", &[]),
    ("id", &["border"]),
    ("websocket", &["id"]),
    ("engineio", &["id"]),
    ("http", &["id", "engineio"]),
    ("socketio", &["id", "websocket", "engineio"]),
    ("redis", &["socketio"]),
    ("handover", &["id", "engineio"]),
    ("net", &["border", "limits", "id", "websocket", "engineio", "http", "socketio", "handover"]),
    ("cluster", &["border", "id", "socketio", "redis", "net"]),
    (
        "binding",
        &[
            "border",
            "limits",
            "id",
            "websocket",
            "engineio",
            "http",
            "socketio",
            "redis",
            "handover",
            "net",
            "cluster",
        ],
    ),
];

/// The floors that do no I/O, read no clock and draw no randomness.
const SANS_IO: [&str; 9] =
    ["border", "limits", "id", "websocket", "engineio", "http", "socketio", "redis", "handover"];

/// What those floors must not mention. The words of one entry stand one behind the other.
const BANNED: [&[&str]; 6] =
    [&["mio"], &["tokio"], &["napi"], &["Instant", "::", "now"], &["SystemTime"], &["getrandom"]];

/// A module path, without `crate`.
type Module = Vec<String>;

/// One source file.
struct Source {
    file: String,
    module: Module,
    tokens: Vec<String>,
}

#[test]
fn imports_run_down_only() {
    let sources = read_sources();
    report(&upward_arrows(&sources));
}

#[test]
fn the_files_of_a_floor_form_no_circle() {
    let sources = read_sources();
    report(&circles(&sources));
}

#[test]
fn the_protocol_floors_do_no_io() {
    let sources = read_sources();
    report(&banned_words(&sources));
}

/// Node.js calls `extern "C"` functions, and a panic that leaves one ends the process.
#[test]
fn no_panic_leaves_the_border() {
    let mut faults = Vec::new();
    let mut functions = 0;
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for Source { file, .. } in read_sources() {
        if !file.starts_with("src/binding/") {
            continue;
        }
        let text = fs::read_to_string(root.join(&file)).expect("a source file is readable");
        let lines: Vec<_> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.starts_with("#[napi")) {
            let item = lines[at + 1..].iter().find(|line| !line.starts_with("#["));
            if item.is_some_and(|item| item.contains("fn ")) {
                functions += 1;
                if !line.contains("catch_unwind") {
                    faults.push(format!("{file}:{}: say #[napi(catch_unwind)]", at + 1));
                }
            }
        }
    }
    assert!(functions > 0, "the functions of the border are found");
    report(&faults);
}

fn report(faults: &[String]) {
    assert!(faults.is_empty(), "\n\n{}\n", faults.join("\n\n"));
}

// ── the three rules ──────────────────────────────────────────────────────────────────────────────

fn upward_arrows(sources: &[Source]) -> Vec<String> {
    let mut faults = BTreeSet::new();
    for source in sources {
        let Some(floor) = source.module.first() else { continue };
        let Some((_, below)) = FLOORS.iter().find(|(name, _)| name == floor) else {
            faults.insert(format!(
                "{}: `{floor}` is no floor of the house.\n  Put the file into a floor, or add the \
                 floor to FLOORS in tests/architecture.rs and to the map in src/lib.rs.",
                source.file
            ));
            continue;
        };
        for target in arrows(source, sources) {
            let to = &target[0];
            let is_floor = FLOORS.iter().any(|(name, _)| name == to);
            if is_floor && to != floor && !below.contains(&to.as_str()) {
                faults.insert(format!(
                    "{}: crate::{} is an arrow {floor} -> {to}, and `{floor}` may import {} only.\n  \
                     Move what both need further down, or let the floor above pass it in.",
                    source.file,
                    target.join("::"),
                    if below.is_empty() { "nothing".into() } else { below.join(", ") },
                ));
            }
        }
    }
    faults.into_iter().collect()
}

fn circles(sources: &[Source]) -> Vec<String> {
    let mut graph: BTreeMap<&Module, BTreeSet<&Module>> = BTreeMap::new();
    for source in sources.iter().filter(|source| !source.module.is_empty()) {
        let targets = graph.entry(&source.module).or_default();
        for target in arrows(source, sources) {
            // The file an arrow points to is the longest prefix of the path that is a file.
            let file = (1..=target.len())
                .rev()
                .find_map(|len| sources.iter().find(|other| other.module == target[..len]));
            if let Some(file) = file
                && file.module != source.module
                && file.module[0] == source.module[0]
            {
                targets.insert(&file.module);
            }
        }
    }
    let mut faults = BTreeSet::new();
    let mut done = BTreeSet::new();
    for &start in graph.keys() {
        walk(&graph, start, &mut Vec::new(), &mut done, &mut faults);
    }
    faults.into_iter().collect()
}

fn walk<'a>(
    graph: &BTreeMap<&'a Module, BTreeSet<&'a Module>>,
    at: &'a Module,
    path: &mut Vec<&'a Module>,
    done: &mut BTreeSet<&'a Module>,
    faults: &mut BTreeSet<String>,
) {
    if let Some(from) = path.iter().position(|&seen| seen == at) {
        let names: Vec<_> = path[from..].iter().chain([&at]).map(|it| it.join("::")).collect();
        faults.insert(format!(
            "a circle: {}.\n  Move what they share into a file of its own, or hand it in as an \
             argument; import siblings by their file, not through the floor's mod.rs.",
            names.join(" -> ")
        ));
        return;
    }
    if done.contains(at) {
        return;
    }
    path.push(at);
    for &next in graph.get(at).into_iter().flatten() {
        walk(graph, next, path, done, faults);
    }
    path.pop();
    done.insert(at);
}

fn banned_words(sources: &[Source]) -> Vec<String> {
    let mut faults = Vec::new();
    for source in sources {
        let Some(floor) = source.module.first().filter(|it| SANS_IO.contains(&it.as_str())) else {
            continue;
        };
        for banned in BANNED {
            if source.tokens.windows(banned.len()).any(|window| window == banned) {
                faults.push(format!(
                    "{}: mentions `{}`, and `{floor}` does no I/O, reads no clock and draws no \
                     randomness.\n  Take it as an argument (`now: u64`, bytes, entropy) and let the \
                     net floor provide it.",
                    source.file,
                    banned.concat()
                ));
            }
        }
    }
    faults
}

// ── arrows ───────────────────────────────────────────────────────────────────────────────────────

/// Everything of the crate that a file refers to, as absolute paths.
fn arrows(source: &Source, sources: &[Source]) -> BTreeSet<Module> {
    let mut found = BTreeSet::new();
    let tokens = &source.tokens;
    let mut at = 0;
    while at < tokens.len() {
        let starts = tokens.get(at + 1).is_some_and(|next| next == "::")
            && at.checked_sub(1).is_none_or(|before| tokens[before] != "::");
        if starts && let Some(base) = resolve(&tokens[at], &source.module, sources) {
            at = read_tree(tokens, at + 1, base, &mut found);
        } else {
            at += 1;
        }
    }
    found.retain(|path| !path.is_empty());
    found
}

/// What the first word of a path stands for; `None` when it is another crate, or a type.
fn resolve(word: &str, module: &Module, sources: &[Source]) -> Option<Module> {
    match word {
        "crate" => Some(Module::new()),
        "self" => Some(module.clone()),
        "super" => Some(module[..module.len().saturating_sub(1)].to_vec()),
        _ => {
            let mut child = module.clone();
            child.push(word.to_owned());
            sources.iter().any(|other| other.module == child).then_some(child)
        }
    }
}

/// Reads on at `::`, through groups; gives the index behind the path.
fn read_tree(
    tokens: &[String],
    mut at: usize,
    mut path: Module,
    found: &mut BTreeSet<Module>,
) -> usize {
    while tokens.get(at).is_some_and(|token| token == "::") {
        match tokens.get(at + 1).map(String::as_str) {
            Some("super") => {
                path.pop();
            }
            Some("{") => {
                at += 2;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    let mut branch = path.clone();
                    if tokens[at] == "," {
                        at += 1;
                    } else if is_word(&tokens[at]) {
                        if tokens[at] != "self" {
                            branch.push(tokens[at].clone());
                        }
                        at = read_tree(tokens, at + 1, branch, found);
                        // `as name`
                        while tokens.get(at).is_some_and(|token| is_word(token)) {
                            at += 1;
                        }
                    } else {
                        found.insert(branch); // `*`
                        at += 1;
                    }
                }
                return at + 1;
            }
            Some(word) if is_word(word) => path.push(word.to_owned()),
            _ => break, // `*`, or generics
        }
        at += 2;
    }
    found.insert(path);
    at
}

// ── reading ──────────────────────────────────────────────────────────────────────────────────────

fn read_sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut sources = Vec::new();
    read_dir(root, &root.join("src"), &mut sources);
    assert!(sources.len() > 5, "the sources are not where they should be");
    sources.sort_by(|a, b| a.file.cmp(&b.file));
    sources
}

fn read_dir(root: &Path, dir: &Path, sources: &mut Vec<Source>) {
    for entry in fs::read_dir(dir).expect("a directory of the sources is readable") {
        let path = entry.expect("an entry of it is readable").path();
        if path.is_dir() {
            read_dir(root, &path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file is readable");
            let file = path.strip_prefix(root).expect("it lies below the root");
            sources.push(source(&file.to_string_lossy().replace('\\', "/"), &text));
        }
    }
}

fn source(file: &str, text: &str) -> Source {
    let mut module: Module = file
        .trim_start_matches("src/")
        .trim_end_matches(".rs")
        .split('/')
        .map(Into::into)
        .collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    Source { file: file.into(), module, tokens: drop_tests(&tokenize(text)) }
}

/// Words and marks; `::` is one mark. Comments and the content of literals are left out.
fn tokenize(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    let look = |at: usize, what: &str| {
        what.chars().enumerate().all(|(i, c)| chars.get(at + i) == Some(&c))
    };
    while at < chars.len() {
        let c = chars[at];
        if look(at, "//") {
            while at < chars.len() && chars[at] != '\n' {
                at += 1;
            }
        } else if look(at, "/*") {
            let mut depth = 0;
            loop {
                if look(at, "/*") {
                    (depth, at) = (depth + 1, at + 2);
                } else if look(at, "*/") {
                    (depth, at) = (depth - 1, at + 2);
                } else {
                    at += 1;
                }
                if depth == 0 || at >= chars.len() {
                    break;
                }
            }
        } else if let Some(hashes) = raw_string(&chars, at) {
            let end = format!("\"{}", "#".repeat(hashes));
            at += 1 + usize::from(chars[at + 1] == 'r') + hashes + 1;
            while at < chars.len() && !look(at, &end) {
                at += 1;
            }
            at += end.len();
        } else if c == '"' {
            at = behind_literal(&chars, at, '"');
        } else if c == '\''
            && (chars.get(at + 1) == Some(&'\\') || chars.get(at + 2) == Some(&'\''))
        {
            at = behind_literal(&chars, at, '\''); // anything else is a lifetime
        } else if is_word_char(c) {
            let start = at;
            while at < chars.len() && is_word_char(chars[at]) {
                at += 1;
            }
            tokens.push(chars[start..at].iter().collect());
        } else if look(at, "::") {
            tokens.push("::".into());
            at += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.into());
            }
            at += 1;
        }
    }
    tokens
}

/// The number of `#` of the raw string that begins here.
fn raw_string(chars: &[char], at: usize) -> Option<usize> {
    let inside_word = at.checked_sub(1).is_some_and(|before| is_word_char(chars[before]));
    let mut next = match (inside_word, chars[at], chars.get(at + 1)) {
        (false, 'r', _) => at + 1,
        (false, 'b' | 'c', Some('r')) => at + 2,
        _ => return None,
    };
    let start = next;
    while chars.get(next) == Some(&'#') {
        next += 1;
    }
    (chars.get(next) == Some(&'"')).then_some(next - start)
}

fn behind_literal(chars: &[char], mut at: usize, quote: char) -> usize {
    at += 1;
    while at < chars.len() && chars[at] != quote {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

fn is_word_char(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_word(token: &str) -> bool {
    token.starts_with(is_word_char)
}

/// Leaves out every item under `#[cfg(test)]`.
fn drop_tests(tokens: &[String]) -> Vec<String> {
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let here: Vec<_> = tokens[at..].iter().take(7).map(String::as_str).collect();
        if here == ["#", "[", "cfg", "(", "test", ")", "]"] {
            at = behind_item(tokens, at + 7);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The index behind the item: its `;` or the brace that closes its body, whichever comes first.
fn behind_item(tokens: &[String], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < tokens.len() {
        match tokens[at].as_str() {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            ";" if depth == 0 => return at + 1,
            _ => {}
        }
        at += 1;
    }
    at
}

// ── the watchman is watched ──────────────────────────────────────────────────────────────────────

#[test]
fn an_upward_arrow_is_found_however_it_is_written() {
    for text in [
        "use crate::engineio::Session;",
        "use crate::{id::Sid, engineio::{self, session::Session as S}};",
        "fn f() { crate::engineio::session::open() }",
        "use super::super::engineio::packet;",
        "pub(crate) use crate::net::*;",
    ] {
        let sources = [source("src/websocket/frame.rs", text), source("src/engineio/mod.rs", "")];
        assert!(!upward_arrows(&sources).is_empty(), "{text}");
    }
}

#[test]
fn what_is_no_arrow_is_not_found() {
    for text in [
        "use crate::id::Sid;",
        "//! [`crate::engineio`]\n/* use crate::net::X; /* */ crate::net::Y */",
        "const A: &str = \"crate::net::X\"; const B: &str = r#\"\"crate::net::X\"#; const C: char = '\"';",
        "#[cfg(test)]\nmod tests { use crate::net::X; fn f() { {} } }",
        "#[cfg(test)]\nuse crate::net::X;",
        "fn f<'a>(x: &'a str) { engineio::other_crate() }",
        "use self::inner::X; use super::mask; use crate::websocket::{frame, mask};",
    ] {
        let sources = [source("src/websocket/frame.rs", text)];
        assert_eq!(upward_arrows(&sources), [""; 0], "{text}");
    }
}

#[test]
fn a_file_outside_of_the_house_is_found() {
    assert_eq!(upward_arrows(&[source("src/util.rs", "")]).len(), 1);
    assert_eq!(upward_arrows(&[source("src/lib.rs", "pub mod net;")]), [""; 0]);
}

#[test]
fn circles_are_found_also_through_the_parent() {
    let a = source("src/net/a.rs", "use super::b::B;");
    let b = source("src/net/b.rs", "use crate::net::{c, x};");
    let c = source("src/net/c.rs", "fn f() { super::a::g() }");
    let faults = circles(&[a, b, c]);
    assert_eq!(faults.len(), 1);
    assert!(faults[0].contains("net::a -> net::b -> net::c -> net::a"), "{}", faults[0]);

    let floor = source("src/net/mod.rs", "mod a; pub use a::A;");
    let child = source("src/net/a.rs", "use super::Shared;");
    assert_eq!(circles(&[floor, child]).len(), 1);

    let floor = source("src/net/mod.rs", "mod a; mod b; pub use a::A; pub use b::B;");
    let a = source("src/net/a.rs", "use super::b::B;");
    let b = source("src/net/b.rs", "#[cfg(test)] mod tests { use super::super::a::A; }");
    assert_eq!(circles(&[floor, a, b]), [""; 0]);
}

#[test]
fn banned_words_are_found_below_net_only() {
    let text = "use tokio::time; fn f() -> Instant { std::time::Instant::now() }";
    assert_eq!(banned_words(&[source("src/engineio/a.rs", text)]).len(), 2);
    assert_eq!(banned_words(&[source("src/net/a.rs", text)]), [""; 0]);
    let text = "// tokio\nfn f(now: Instant) -> &'static str { \"napi\" }";
    assert_eq!(banned_words(&[source("src/id.rs", text)]), [""; 0]);
}
