//! What both sides agree on at the start.

use super::config::Config;
use crate::id::Sid;

/// What carries a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// A WebSocket.
    WebSocket,
}

impl Transport {
    /// The name in the `transport` parameter.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Polling => "polling",
            Self::WebSocket => "websocket",
        }
    }
}

/// The open packet. The order of the keys is the one that clients have always seen.
pub(super) fn open_packet(config: &Config, sid: &Sid, transport: Transport) -> String {
    let upgrades = match transport {
        Transport::Polling if config.allow_upgrades => {
            match (config.websocket, config.webtransport) {
                (true, true) => r#""websocket","webtransport""#,
                (true, false) => r#""websocket""#,
                (false, true) => r#""webtransport""#,
                (false, false) => "",
            }
        }
        Transport::Polling | Transport::WebSocket => "",
    };
    format!(
        r#"0{{"sid":{},"upgrades":[{upgrades}],"pingInterval":{},"pingTimeout":{},"maxPayload":{}}}"#,
        serde_json::Value::from(sid.as_str()),
        config.ping_interval,
        config.ping_timeout,
        config.max_payload,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_packet_announces_what_it_must_in_the_usual_order() {
        let sid = Sid::new("a\"b");
        assert_eq!(
            open_packet(&Config::default(), &sid, Transport::Polling),
            r#"0{"sid":"a\"b","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#
        );
    }

    #[test]
    fn upgrades_are_announced_only_where_there_is_one() {
        let sid = Sid::new("s");
        let none = r#""upgrades":[],"#;
        let config = Config::default();
        assert!(open_packet(&config, &sid, Transport::WebSocket).contains(none));
        let config = Config { allow_upgrades: false, ..Config::default() };
        assert!(open_packet(&config, &sid, Transport::Polling).contains(none));
        let config = Config { websocket: false, ..Config::default() };
        assert!(open_packet(&config, &sid, Transport::Polling).contains(none));
        let config = Config { webtransport: true, ..Config::default() };
        let both = r#""upgrades":["websocket","webtransport"],"#;
        assert!(open_packet(&config, &sid, Transport::Polling).contains(both));
    }
}
