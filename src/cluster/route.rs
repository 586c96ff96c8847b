//! Which node of a Redis Cluster can do something.

use redis::{Arg, Cmd};

use crate::redis::slots::slot_of;

/// Who can do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Route {
    /// Anybody.
    Home,
    /// The primary of a slot.
    Primary(u16),
    /// That, or one of its replicas.
    Shard(u16),
    /// All together.
    All,
}

/// Who can do a command.
pub(super) fn route(command: &Cmd) -> Route {
    let argument = |index: usize| match command.args_iter().nth(index) {
        Some(Arg::Simple(argument)) => argument,
        _ => &[],
    };
    match argument(0) {
        b"SPUBLISH" => Route::Shard(slot_of(argument(1))),
        b"XADD" | b"XRANGE" | b"XTRIM" | b"GET" | b"SET" | b"PTTL" => {
            Route::Primary(slot_of(argument(1)))
        }
        b"XINFO" => Route::Primary(slot_of(argument(2))),
        b"XREAD" => {
            let names = command.args_iter().position(|it| matches!(it, Arg::Simple(b"STREAMS")));
            Route::Primary(slot_of(argument(names.map_or(0, |at| at + 1))))
        }
        b"PUBSUB" => Route::All,
        _ => Route::Home,
    }
}

#[cfg(test)]
mod tests {
    use redis::cmd;

    use super::*;

    #[test]
    fn a_command_goes_where_its_key_is() {
        let slot = slot_of(b"key");
        for (text, expected) in [
            ("PUBLISH key x", Route::Home),
            ("SUBSCRIBE key", Route::Home),
            ("PING", Route::Home),
            ("SPUBLISH key x", Route::Shard(slot)),
            ("XADD key MAXLEN ~ 9 * a b", Route::Primary(slot)),
            ("XREAD COUNT 9 BLOCK 5 STREAMS key 0-0", Route::Primary(slot)),
            ("XINFO STREAM key", Route::Primary(slot)),
            ("SET key x XX", Route::Primary(slot)),
            ("PUBSUB NUMSUB key", Route::All),
        ] {
            let mut words = text.split(' ');
            let mut command = cmd(words.next().unwrap());
            words.for_each(|word| {
                command.arg(word);
            });
            assert_eq!(route(&command), expected, "{text}");
        }
    }
}
