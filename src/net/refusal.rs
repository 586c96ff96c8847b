//! A handshake that a worker refuses: what is answered, as by the engine where JavaScript answers (`lib/http/refusal.js`).

use std::fmt::Write as _;

use crate::limits::gate::Refused;

/// Why a handshake is refused, as its client hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The status of the answer.
    status: &'static str,
    /// The Engine.IO error.
    code: u32,
    message: &'static str,
    /// Seconds after which another try may be let in.
    retry_after: u64,
}

/// The Engine.IO error of who asks for too much: its status is 429.
pub const TOO_MANY_REQUESTS: u32 = 6;
/// The Engine.IO error of a server that has no room now, for whomever: its status is 503.
pub const UNAVAILABLE: u32 = 7;

/// How the answer is to look.
#[derive(Clone, Copy, Debug)]
pub enum Form<'a> {
    /// That to a polling request; with these headers, each with its line end.
    Polling(&'a str),
    /// That to a request for a WebSocket.
    WebSocket,
}

impl Refusal {
    /// For who asks for too much; it may try again after so many milliseconds.
    pub fn too_many(retry_after: u64) -> Self {
        Self {
            status: "429 Too Many Requests",
            code: TOO_MANY_REQUESTS,
            message: "Too many requests",
            retry_after: seconds(retry_after),
        }
    }

    /// For whomever: the server has no room now; likewise.
    pub fn unavailable(retry_after: u64) -> Self {
        Self {
            status: "503 Service Unavailable",
            code: UNAVAILABLE,
            message: "Service unavailable",
            retry_after: seconds(retry_after),
        }
    }

    /// The Engine.IO error.
    pub fn code(self) -> u32 {
        self.code
    }

    /// Seconds after which another try may be let in.
    pub fn retry_after(self) -> u64 {
        self.retry_after
    }

    /// The answer, behind which the connection ends.
    pub fn answer(self, form: Form<'_>) -> String {
        let Self { status, code, message, retry_after } = self;
        let (lines, name, media_type, body) = match form {
            Form::Polling(lines) => {
                let body = format!(r#"{{"code":{code},"message":"{message}"}}"#);
                (lines, "Content-Type", "application/json", body)
            }
            Form::WebSocket => ("", "Content-type", "text/html", message.to_owned()),
        };
        let mut answer = String::with_capacity(256 + lines.len());
        let _infallible = write!(
            answer,
            "HTTP/1.1 {status}\r\n{lines}Connection: close\r\n{name}: {media_type}\r\n\
             Content-Length: {}\r\nRetry-After: {retry_after}\r\n\r\n{body}",
            body.len()
        );
        answer
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        let Refused { reason, retry_after } = refused;
        if reason.is_of_client() {
            Self::too_many(retry_after)
        } else {
            Self::unavailable(retry_after)
        }
    }
}

/// Whole seconds, not fewer.
fn seconds(milliseconds: u64) -> u64 {
    milliseconds.div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_tells_when_to_try_again() {
        let polling = Refusal::too_many(1500).answer(Form::Polling("Vary: Origin\r\n"));
        assert_eq!(
            polling,
            "HTTP/1.1 429 Too Many Requests\r\nVary: Origin\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: 40\r\nRetry-After: 2\r\n\r\n\
             {\"code\":6,\"message\":\"Too many requests\"}"
        );
        let websocket = Refusal::unavailable(0).answer(Form::WebSocket);
        assert!(websocket.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{websocket}");
        assert!(websocket.ends_with("Retry-After: 1\r\n\r\nService unavailable"), "{websocket}");
    }
}
