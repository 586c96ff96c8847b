//! Socket.IO clients of the crate `rust_socketio`, driven over JSON lines.
//!
//! The commands and replies are those of `../python/client.py`, but for what the crate can't do: a client is in one
//! namespace, an event carries either JSON values or one run of bytes, and nothing is acknowledged.

use std::collections::HashMap;
use std::io::{BufRead, Write, stdin, stdout};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rust_socketio::client::Client;
use rust_socketio::{ClientBuilder, Event, Payload, TransportType};
use serde_json::{Value, json};

/// How long an ack may take; the test that waits for it gives up at about the same time.
const PATIENCE: Duration = Duration::from_secs(20);

type Failure = Box<dyn std::error::Error>;

/// Writes one line.
fn say(line: &Value) {
    let mut out = stdout().lock();
    // Nobody reads any more: the test is over.
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// The arguments of an event as JSON.
fn pack(payload: Payload) -> Value {
    match payload {
        Payload::Binary(bytes) => json!([{ "$bytes": BASE64.encode(bytes) }]),
        Payload::Text(values) => Value::Array(values),
        _ => Value::Null,
    }
}

/// The arguments of a command as what the crate sends.
fn unpack(args: &Value) -> Result<Payload, Failure> {
    if let Some(bytes) = args[0]["$bytes"].as_str() {
        return Ok(Payload::from(BASE64.decode(bytes)?));
    }
    Ok(Payload::Text(args.as_array().cloned().unwrap_or_default()))
}

fn connect(command: &Value) -> Result<Client, Failure> {
    let number = command["client"].clone();
    let namespace = command["namespaces"][0].as_str().unwrap_or("/").to_owned();
    let tell = move |on: &str, name: &str, args: Value| {
        say(
            &json!({ "on": on, "client": number, "namespace": namespace, "name": name, "args": args }),
        );
    };
    let (opened, closed, failed) = (tell.clone(), tell.clone(), tell.clone());
    let reconnection = command["reconnection"] == true;
    let client = ClientBuilder::new(command["url"].as_str().unwrap_or_default())
        .namespace(command["namespaces"][0].as_str().unwrap_or("/"))
        .auth(command["auth"].clone())
        .transport_type(match command["transports"].as_str() {
            Some("polling") => TransportType::Polling,
            Some("websocket") => TransportType::Websocket,
            Some("upgrade") => TransportType::WebsocketUpgrade,
            _ => TransportType::Any,
        })
        .reconnect(reconnection)
        .reconnect_on_disconnect(reconnection)
        .reconnect_delay(10, 100)
        .on(Event::Connect, move |_, _| opened("connect", "connect", json!([])))
        .on(Event::Close, move |_, _| closed("disconnect", "disconnect", json!([])))
        .on(Event::Error, move |payload, _| failed("connect_error", "error", pack(payload)))
        .on_any(move |event, payload, _| tell("event", &String::from(event), pack(payload)))
        .connect()?;
    Ok(client)
}

/// Does what a command asks for; `None` is replied to later.
fn obey(clients: &mut HashMap<u64, Client>, command: &Value) -> Result<Option<Value>, Failure> {
    let number = command["client"].as_u64().ok_or("a client has a number")?;
    if command["do"] == "connect" {
        clients.insert(number, connect(command)?);
        return Ok(Some(Value::Null));
    }
    let client = clients.get(&number).ok_or("this client has not connected")?;
    let name = command["name"].as_str().unwrap_or_default();
    match command["do"].as_str() {
        Some("emit") => client.emit(name, unpack(&command["args"])?)?,
        Some("ask") => {
            let id = command["id"].clone();
            client.emit_with_ack(
                name,
                unpack(&command["args"])?,
                PATIENCE,
                move |payload, _| {
                    // The crate hands over the list of arguments as if it were one argument.
                    say(&json!({ "re": id, "value": pack(payload)[0] }));
                },
            )?;
            return Ok(None);
        }
        Some("disconnect") => client.disconnect()?,
        other => return Err(format!("unknown command {other:?}").into()),
    }
    Ok(Some(Value::Null))
}

fn main() {
    let mut clients = HashMap::new();
    for line in stdin().lock().lines().map_while(Result::ok) {
        let command: Value = serde_json::from_str(&line).expect("commands are JSON");
        let id = &command["id"];
        match obey(&mut clients, &command) {
            Ok(Some(value)) => say(&json!({ "re": id, "value": value })),
            Ok(None) => {}
            Err(error) => say(&json!({ "re": id, "error": error.to_string() })),
        }
    }
}
