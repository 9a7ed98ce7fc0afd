//! A port on this machine whose connections end in a pod.

use std::net::{Ipv4Addr, SocketAddr};

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{AbortHandle, JoinSet};

use super::cluster::{chain, refused};
use crate::command::Failure;

/// Connections at a time; more wait.
const CONNECTIONS: usize = 64;

/// Forwards until it is dropped.
pub(super) struct Forward {
    /// Where to connect to.
    pub(super) address: SocketAddr,
    task: AbortHandle,
}

impl Forward {
    /// Listens on a free port of the loopback address. One connection is made at once, so that a pod that cannot be
    /// reached is told before anything waits for it.
    pub(super) async fn open(pods: Api<Pod>, pod: String, port: u16) -> Result<Self, Failure> {
        let what = format!("port-forward to pod {pod}");
        let first = pods.portforward(&pod, &[port]).await.map_err(|error| refused(&what, error))?;
        first.abort();
        let local = |error: std::io::Error| Failure::System(format!("{what}: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(local)?;
        let address = listener.local_addr().map_err(local)?;
        let task = tokio::spawn(accept(listener, pods, pod, port)).abort_handle();
        Ok(Self { address, task })
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connections end with this task.
async fn accept(listener: TcpListener, pods: Api<Pod>, pod: String, port: u16) {
    let (mut connections, places) = (JoinSet::new(), std::sync::Arc::new(Semaphore::new(CONNECTIONS)));
    loop {
        let Ok(place) = std::sync::Arc::clone(&places).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { continue };
        let (pods, pod) = (pods.clone(), pod.clone());
        connections.spawn(async move {
            if let Err(error) = carry(stream, &pods, &pod, port).await {
                tracing::warn!("port-forward to pod {pod}: {error}");
            }
            drop(place);
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn carry(mut local: TcpStream, pods: &Api<Pod>, pod: &str, port: u16) -> Result<(), String> {
    let mut forwarder = pods.portforward(pod, &[port]).await.map_err(|error| chain(&error))?;
    let mut remote = forwarder.take_stream(port).ok_or("the API server forwards no port")?;
    // Either end may close; that is how connections end.
    _ = copy_bidirectional(&mut local, &mut remote).await;
    drop(remote);
    forwarder.join().await.map_err(|error| chain(&error))
}
