//! The health check that a server makes of itself.

use std::{
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::config::BasePath;

/// Time limit for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Beginning of the answer of a healthy server.
const OK_STATUS_LINE: &[u8] = b"HTTP/1.1 200 ";

/// Requests the health of the server at this address over a new connection, as any client does.
///
/// # Errors
/// When the server does not answer, or answers with another status.
pub async fn check_health(address: SocketAddr, base_path: &BasePath) -> io::Result<()> {
    let address = SocketAddr::new(reachable_ip(address.ip()), address.port());
    timeout(ANSWER_TIMEOUT, request_health(address, base_path)).await?
}

async fn request_health(address: SocketAddr, base_path: &BasePath) -> io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("GET {base_path}api/health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = [0; OK_STATUS_LINE.len()];
    stream.read_exact(&mut answer).await?;
    if answer == OK_STATUS_LINE { Ok(()) } else { Err(ErrorKind::InvalidData.into()) }
}

/// Replaces an unspecified address by the loopback address.
fn reachable_ip(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}
