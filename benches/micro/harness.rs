//! Runs cases: once each, many times by the clock, or a fixed number of times for valgrind.
//!
//! Instructions are counted by callgrind, which is told to collect inside of [`counted_operations`]
//! only and to dump what it has whenever that returns: one run of the program gives one dump per
//! case, in the order in which the names are printed.
//!
//! ```text
//! valgrind --tool=callgrind --collect-atstart=no --toggle-collect=micro::harness::counted_operations \
//!          --dump-after=micro::harness::counted_operations PROGRAM --count
//! ```
//! Counts hardly depend on the machine or on what else it does, so they tell a change of one percent.
//! They do not tell what memory costs; the time does.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long one sample takes, at least: long against the clock's resolution.
const SAMPLE: Duration = Duration::from_millis(2);
/// Samples of a case; the figure is their median.
const SAMPLES: usize = 25;
/// Calls before instructions are counted: buffers get their size, tables their room.
const WARM_UP: u32 = 8;
/// Calls whose instructions are counted.
const COUNTED: u32 = 32;

/// What is wanted of the cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// That they run at all.
    Once,
    /// The time that an operation takes.
    Time,
    /// That valgrind can count their instructions.
    Count,
}

/// All cases, in the order in which they run.
#[derive(Default)]
pub(crate) struct Suite {
    cases: Vec<Case>,
}

struct Case {
    name: String,
    /// Operations of one call.
    operations: u32,
    /// Calls the work so many times.
    repeat: Box<dyn FnMut(u32)>,
}

impl Suite {
    /// Adds a case whose `work` is one operation. What it gives is not optimised away, and is
    /// dropped at its expense.
    pub(crate) fn case<R>(&mut self, name: impl Into<String>, work: impl FnMut() -> R + 'static) {
        self.batch(name, 1, work);
    }

    /// Adds a case whose `work` does so many operations.
    pub(crate) fn batch<R>(
        &mut self,
        name: impl Into<String>,
        operations: u32,
        mut work: impl FnMut() -> R + 'static,
    ) {
        let repeat = Box::new(move |calls| {
            for _ in 0..calls {
                black_box(work());
            }
        });
        self.cases.push(Case { name: name.into(), operations, repeat });
    }

    /// Runs the cases whose name contains `word`, and prints a line for each: a table, or JSON
    /// (`name`; `ns` of an operation, or how many `operations` were counted).
    #[expect(clippy::print_stdout, reason = "the figures are what the program is for")]
    pub(crate) fn run(self, mode: Mode, word: &str, json: bool) {
        for mut case in self.cases.into_iter().filter(|case| case.name.contains(word)) {
            let name = &case.name;
            match mode {
                Mode::Once => (case.repeat)(1),
                Mode::Count => {
                    (case.repeat)(WARM_UP);
                    counted_operations(&mut *case.repeat);
                    println!(r#"{{"name":"{name}","operations":{}}}"#, COUNTED * case.operations);
                }
                Mode::Time => {
                    let ns = time(&mut case.repeat) / f64::from(case.operations);
                    if json {
                        println!(r#"{{"name":"{name}","ns":{ns:.2}}}"#);
                    } else {
                        println!("{name:<64} {ns:>12.1} ns");
                    }
                }
            }
        }
    }
}

/// The function that valgrind looks for by its name: all that it does is counted.
#[inline(never)]
fn counted_operations(repeat: &mut dyn FnMut(u32)) {
    repeat(COUNTED);
}

/// Nanoseconds of one call: the median of the samples.
fn time(repeat: &mut dyn FnMut(u32)) -> f64 {
    let mut calls = 1;
    while sample(repeat, calls) < SAMPLE {
        calls *= 2;
    }
    let mut samples: Vec<Duration> = (0..SAMPLES).map(|_| sample(repeat, calls)).collect();
    samples.sort_unstable();
    samples[SAMPLES / 2].as_secs_f64() * 1e9 / f64::from(calls)
}

fn sample(repeat: &mut dyn FnMut(u32), calls: u32) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures the time")]
    let start = Instant::now();
    repeat(calls);
    start.elapsed()
}
