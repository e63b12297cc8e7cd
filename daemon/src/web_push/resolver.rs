//! Names of push services, as addresses: only those of the public internet. What a name leads to is decided by
//! whoever has it, so it is looked at when a connection is made.

use std::io;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::net::public_address;

/// Resolves by the system.
#[derive(Clone, Copy, Debug)]
pub(super) struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is added to each address by the caller.
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<_> =
                found.into_iter().filter(|address| public_address::is_public(address.ip())).collect();
            if public.is_empty() {
                let error = "its name leads to no public address; write the address itself in web_push.hosts";
                return Err(io::Error::other(error).into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}
