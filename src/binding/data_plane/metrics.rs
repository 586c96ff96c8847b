//! What has been counted, as JavaScript asks for it: `lib/api/metrics.js` makes the metrics of it.

use napi_derive::napi;
use serde_json::{Value, json};

use super::DataPlane;
use super::limiting::refused;
use crate::limits::gate::Gate;
use crate::limits::traffic::{Action, Limit};
use crate::net::metrics::{KINDS, Values, WorkerMetrics};
use crate::net::runtime::Runtime;
use crate::net::server::Server;

#[napi]
impl DataPlane {
    /// What has been counted, as JSON: `server` (of the server of that number; null if there is none), `thread` (of this
    /// thread of JavaScript, for all servers that it has), `workers` (of each worker, for all servers of the process).
    /// Histograms are `{ bounds, counts, sum }`, with one count more than bounds.
    #[napi(catch_unwind)]
    pub fn metrics(&self, server: u32) -> String {
        let of_server = self.servers.borrow().get(&server).map(|server| server_counts(server));
        let runtime = self.shared.runtime();
        let workers = runtime.map_or_else(Vec::new, |runtime| {
            (0..runtime.workers()).map(|worker| worker_counts(&runtime, worker)).collect()
        });
        json!({ "server": of_server, "thread": self.thread_counts(), "workers": workers })
            .to_string()
    }

    fn thread_counts(&self) -> Value {
        let operations = self.operations.borrow();
        let inbox = &self.environment.inbox;
        let backlogs = &self.environment.backlogs;
        let faults = operations.faults();
        json!({
            "rooms": operations.rooms(),
            "audiences": histogram(&operations.audiences()),
            "recoveryBytes": operations.logs.bytes(),
            "queuedBytes": inbox.budget.queued(),
            "heldBytes": inbox.budget.held(),
            "hasRoom": !inbox.budget.is_scarce(),
            "age": inbox.age(),
            "delays": histogram(&inbox.delays.values()),
            "stalls": inbox.stalls.get(),
            "backlogs": backlogs.len(),
            "backlogBytes": backlogs.total(),
            "stale": faults.stale,
            "unreadable": faults.unreadable,
        })
    }
}

fn server_counts(server: &Server) -> Value {
    let metrics = &server.metrics;
    json!({
        "sessions": server.sessions.len(),
        "received": traffic(metrics.traffic(|lane| &lane.received)),
        "sent": traffic(metrics.traffic(|lane| &lane.sent)),
        "volatileDropped": metrics.sum(|lane| &lane.volatile_dropped),
        "spared": metrics.sum(|lane| &lane.spared),
        "roundTrips": histogram(&metrics.round_trips()),
        "limited": server.gate.as_deref().map_or_else(|| json!({}), refused),
        "traffic": server.gate.as_deref().map_or_else(|| json!([]), acted),
    })
}

/// How often something was done about clients that send too much: the limit, what was done, how often.
fn acted(gate: &Gate) -> Value {
    let all = Limit::ALL.into_iter().flat_map(|limit| Action::ALL.map(|action| (limit, action)));
    all.filter_map(|(limit, action)| {
        let count = gate.acted(limit, action);
        let is_set = gate.traffic().and_then(|traffic| traffic.action(limit)) == Some(action);
        (count > 0 || is_set).then(|| json!([limit.name(), action.name(), count]))
    })
    .collect()
}

fn worker_counts(runtime: &Runtime, worker: usize) -> Value {
    let WorkerMetrics { read, written, deflated, deflated_to, inflated, inflated_to, .. } =
        runtime.metrics(worker);
    let reader = runtime.reader(worker);
    json!({
        "readBytes": read.get(),
        "writtenBytes": written.get(),
        "deflatedBytes": deflated.get(),
        "deflatedToBytes": deflated_to.get(),
        "inflatedBytes": inflated.get(),
        "inflatedToBytes": inflated_to.get(),
        "cpuTime": runtime.metrics(worker).cpu_time(),
        "javascriptReads": reader.is_javascript(),
    })
}

fn traffic((packets, attachments, bytes): ([u64; KINDS.len()], u64, u64)) -> Value {
    let packets: serde_json::Map<_, _> =
        KINDS.iter().zip(packets).map(|(kind, count)| ((*kind).into(), count.into())).collect();
    json!({ "packets": packets, "attachments": attachments, "bytes": bytes })
}

fn histogram(values: &Values) -> Value {
    json!({ "bounds": values.bounds, "counts": values.counts, "sum": values.sum })
}
