//! What was measured, as one line of JSON.

use std::fmt;
use std::time::Duration;

use crate::process::Cpu;

/// The outcome of a run. Times per message are in microseconds of CPU.
#[derive(Debug)]
pub(crate) struct Report {
    /// The name of the mode.
    pub(crate) mode: &'static str,
    pub(crate) connections: usize,
    /// How long it took until all were connected.
    pub(crate) ramp: Duration,
    /// How long was measured.
    pub(crate) measured: Duration,
    /// What came in meanwhile: events, acks, or connects of a storm.
    pub(crate) count: u64,
    /// The server's CPU time meanwhile.
    pub(crate) server: Cpu,
    /// Our own: near 1 core, we are what was measured.
    pub(crate) client: Cpu,
    /// The server's memory before the first connection and at the end, in KiB.
    pub(crate) resident: (f64, f64),
    /// Its mean meanwhile.
    pub(crate) resident_mean: f64,
    /// Round trips in microseconds, sorted.
    pub(crate) latencies: Vec<u32>,
    /// How late paced events went out, in microseconds, sorted.
    pub(crate) lateness: Vec<u32>,
    /// Sessions that should have been recovered and were not.
    pub(crate) lost: u64,
    /// Deliveries of volatile events that should have come.
    pub(crate) due: u64,
}

impl Report {
    /// The latency that a share of the messages stays under.
    fn quantile(&self, share: f64) -> u32 {
        quantile(&self.latencies, share)
    }
}

/// What a share of the values stays under; 0 without any.
fn quantile(sorted: &[u32], share: f64) -> u32 {
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share) as usize).copied().unwrap_or(0)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.measured.as_secs_f64();
        let each = |cpu: f64| cpu * 1e6 / self.count.max(1) as f64;
        let (before, after) = self.resident;
        write!(
            f,
            concat!(
                r#"{{"mode":"{}","connections":{},"ramp_s":{:.2},"seconds":{:.2},"count":{},"per_s":{:.0},"#,
                r#""cpu_us":{:.3},"user_us":{:.3},"system_us":{:.3},"main_us":{:.3},"#,
                r#""server_cores":{:.2},"client_cores":{:.2},"#,
                r#""p50_us":{},"p99_us":{},"p999_us":{},"max_us":{},"late_us":{},"#,
                r#""rss_mib":{:.1},"kib_per_connection":{:.2},"lost":{},"due":{}}}"#
            ),
            self.mode,
            self.connections,
            self.ramp.as_secs_f64(),
            seconds,
            self.count,
            self.count as f64 / seconds,
            each(self.server.total()),
            each(self.server.user),
            each(self.server.system),
            each(self.server.main_thread),
            self.server.total() / seconds,
            self.client.total() / seconds,
            self.quantile(0.5),
            self.quantile(0.99),
            self.quantile(0.999),
            self.quantile(1.0),
            quantile(&self.lateness, 0.99),
            self.resident_mean / 1024.0,
            (after - before) / self.connections as f64,
            self.lost,
            self.due,
        )
    }
}
