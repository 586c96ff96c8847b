//! The targets of `fuzz/`, run on their seeds, on random bytes and on what has broken them before.

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, dead_code, reason = "it is a library of fuzzers, too")]
mod fuzz;

use std::fs;
use std::path::Path;

use fuzz::TARGETS;
use fuzz::seeds::seeds;
use proptest::collection::vec;
use proptest::prelude::*;

#[test]
fn seeds_pass() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in seeds {
            target(&seed);
        }
    }
}

/// `fuzz/regressions/` has a directory per target, and a file for each input that once failed.
#[test]
fn what_has_failed_passes() {
    for (name, target) in TARGETS {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/regressions").join(name);
        let Ok(files) = fs::read_dir(directory) else { continue };
        for file in files {
            target(&fs::read(file.unwrap().path()).unwrap());
        }
    }
}

proptest! {
    #[test]
    fn any_bytes_pass(bytes in vec(any::<u8>(), 0..300)) {
        for (_, target) in TARGETS {
            target(&bytes);
        }
    }

    /// Seeds with some of their bytes changed, which get further than random ones.
    #[test]
    fn seeds_that_are_damaged_pass(
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        for (name, target) in TARGETS {
            for mut seed in seeds(name) {
                for (at, byte) in &changes {
                    let at = at.index(seed.len());
                    seed[at] = *byte;
                }
                target(&seed);
                target(&seed[..cut.index(seed.len())]);
            }
        }
    }
}
