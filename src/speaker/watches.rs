//! Everything that a speaker reads from the API server, as one stream.

use super::{SpeakerArgs, desired::Seen};
use crate::cluster::{self, accepted::Accepted, client, endpoints, names, node, only, service, watch_again};
use arcstr::ArcStr;
use futures::{Stream, StreamExt, stream::SelectAll};
use kube::{Api, Client, Config, runtime::watcher};
use std::pin::Pin;
use tokio::sync::watch;

/// What was seen, each with its object's version where all speakers watch the same; 0 otherwise.
pub type Watches = SelectAll<Pin<Box<dyn Stream<Item = (u64, Seen)> + Send>>>;

/// As old as the API server's cache may be: it serves the same objects to many nodes. What all speakers watch is listed anew, and
/// newer, whenever `behind` changes: over new connections, since the old ones may be dead and not known to be.
pub fn watches(config: &Config, client: &Client, args: &SpeakerArgs, behind: &watch::Receiver<u64>) -> Watches {
    // One by one where the server can: a page of 500 is in memory as a whole, text and objects, and leaves holes there.
    let cached = watcher::Config::default().any_semantic().streaming_lists();
    let anew = {
        let (config, client) = (config.clone(), client.clone());
        move || client::connect(&config).unwrap_or_else(|_| client.clone())
    };
    let again = (behind.clone(), {
        let anew = anew.clone();
        move || Api::all(anew())
    });
    let services =
        watch_again(Api::all(client.clone()), cached.clone(), again, |_, service| service::Announced::new(service));
    let here = args.node_name.clone();
    let slice = move |_: &ArcStr, slice| endpoints::LocalEndpoints::new(slice, &here);
    let slices = watch_again(Api::all(client.clone()), cached, (behind.clone(), move || Api::all(anew())), slice);
    let own = only(&args.node_name).any_semantic();
    let node = cluster::watch(Api::all(client.clone()), own, node::Node::new);
    let maps = Api::namespaced(client.clone(), &args.namespace);
    let accepted = cluster::watch(maps, only(names::ACCEPTED).any_semantic(), Accepted::new);

    let mut all = Watches::new();
    all.push(services.map(|(version, change)| (version, Seen::Service(change))).boxed());
    all.push(slices.map(|(version, change)| (version, Seen::Slice(change))).boxed());
    all.push(node.map(|change| (0, Seen::Node(change))).boxed());
    all.push(accepted.map(|change| (0, Seen::Accepted(change))).boxed());
    all
}
