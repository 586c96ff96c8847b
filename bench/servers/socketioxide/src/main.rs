//! The handlers of `../handlers.js` on socketioxide, a Socket.IO server without JavaScript.
//!
//! Prints `listening PORT` once it is. It has no permessage-deflate and no connection state recovery.

use std::net::Ipv4Addr;

use axum::serve::ListenerExt;
use bytes::Bytes;
use serde::Deserialize;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef, TryData};
use tokio::net::TcpListener;

/// Like ours, it gets an allocator that is made for this.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// In bytes, as the others have it by default.
const MAX_PAYLOAD: u64 = 1_000_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (layer, io) = SocketIo::builder().max_payload(MAX_PAYLOAD).build_layer();
    io.ns("/", on_connection);
    io.dyn_ns("/n{number}", on_connection)?;

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening {}", listener.local_addr()?.port());
    let listener = listener.tap_io(|stream| {
        // A stream that refuses is on its way out.
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, axum::Router::new().layer(layer)).await?;
    Ok(())
}

/// What some clients ask for when they connect.
#[derive(Deserialize)]
struct Auth {
    room: String,
}

// What cannot be sent is for a client that has left: the generator notices what is missing.
async fn on_connection(socket: SocketRef, TryData(auth): TryData<Auth>) {
    socket.on("echo", async |socket: SocketRef, Data::<String>(text)| {
        let _ = socket.emit("echo", &text);
    });
    socket.on("bytes", async |socket: SocketRef, Data::<Bytes>(bytes)| {
        let _ = socket.emit("bytes", &bytes);
    });
    socket.on("ack", async |Data::<String>(text), ack: AckSender| {
        let _ = ack.send(&text);
    });
    socket.on("upload", async |Data::<Bytes>(bytes), ack: AckSender| {
        let _ = ack.send(&bytes.len());
    });
    socket.on("all", async |io: SocketIo, Data::<String>(text)| {
        let _ = io.emit("b", &text).await;
    });
    socket.on("room", async |io: SocketIo, Data::<(String, String)>((room, text))| {
        let _ = io.to(room).emit("b", &text).await;
    });
    socket.on("others", async |socket: SocketRef, Data::<(String, String)>((room, text))| {
        let _ = socket.to(room).emit("b", &text).await;
    });
    socket.on("pair", async |io: SocketIo, Data::<(String, String, String)>((one, two, text))| {
        let _ = io.to(one).to(two).emit("b", &text).await;
    });
    socket.on("volatile", async |io: SocketIo, Data::<String>(text)| {
        let _ = io.volatile().emit("b", &text).await;
    });
    socket.on("gc", async |ack: AckSender| {
        let _ = ack.send(&());
    });
    // Last: what comes in before the handlers are there is lost.
    if let Ok(Auth { room }) = auth {
        socket.join(room);
        let _ = socket.emit("welcome", &());
    }
}
