//! JavaScript has the numbers of `src/border/` from a file that the build writes.

#[test]
fn the_twin_for_javascript_is_the_committed_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/native/border.js");
    let committed = std::fs::read_to_string(path).expect("native/border.js is there");
    assert_eq!(committed, ferrosocket::border::javascript(), "npm run build:dev writes it anew");
}
