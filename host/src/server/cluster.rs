//! What the server knows of its cluster.

use std::ffi::c_int;

use super::api::{self, ClientInfo};
use super::context::Context;
use crate::rm;

/// A node, as CLUSTER NODES tells of it.
pub struct Node {
    pub id: String,
    pub address: String,
    /// The name that it tells others; empty where it tells none.
    pub host: String,
    /// One of its ports, of whichever kind the server tells: see [`Context::port_of`].
    pub port: u16,
    pub is_myself: bool,
    pub is_primary: bool,
    /// The node that it follows; `-` where it is a primary.
    pub primary: String,
    /// Whether the others reach it, as far as this one knows.
    pub is_well: bool,
    /// The slots that it serves: ranges, both ends included.
    pub slots: Vec<(u16, u16)>,
    /// The slots that leave this node, or come to it, one by one.
    pub migrating: Vec<u16>,
    pub importing: Vec<u16>,
}

impl Node {
    pub fn owns(&self, slot: u16) -> bool {
        self.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    }

    /// A line of CLUSTER NODES: `id ip:port@bus[,host] flags primary ping pong epoch link slot …`, the slots
    /// of this node followed by `[n->-id]` and `[n-<-id]`; `None` where it is none.
    fn parse(line: &str) -> Option<Node> {
        let mut words = line.split_ascii_whitespace();
        let (id, address, flags) = (words.next()?, words.next()?, words.next()?);
        let primary = words.next()?;
        let link = words.nth(3)?;
        let host = address.split(',').nth(1).unwrap_or_default();
        let address = address.split(['@', ',']).next()?;
        let (address, port) = address.rsplit_once(':')?;
        let has = |flag: &str| flags.split(',').any(|one| one == flag);
        let mut node = Node {
            id: id.into(),
            address: address.into(),
            host: host.into(),
            port: port.parse().ok()?,
            is_myself: has("myself"),
            is_primary: has("master"),
            primary: primary.into(),
            is_well: !has("fail") && !has("noaddr") && !has("handshake") && (has("myself") || link == "connected"),
            slots: Vec::new(),
            migrating: Vec::new(),
            importing: Vec::new(),
        };
        for word in words {
            let open = word.trim_start_matches('[').split_once("-").and_then(|(slot, way)| Some((slot.parse().ok()?, way)));
            match (word.starts_with('['), open) {
                (true, Some((slot, way))) if way.starts_with(">-") => node.migrating.push(slot),
                (true, Some((slot, way))) if way.starts_with("<-") => node.importing.push(slot),
                (true, _) => {}
                (false, _) => {
                    let (first, last) = word.split_once('-').unwrap_or((word, word));
                    node.slots.push((first.parse().ok()?, last.parse().ok()?));
                }
            }
        }
        Some(node)
    }
}

/// The node of this id, or the one that it follows by now: a node that has failed over is a replica.
pub fn primary_of<'a>(nodes: &'a [Node], id: &str) -> Option<&'a Node> {
    let node = nodes.iter().find(|node| node.id == id)?;
    if node.is_primary { Some(node) } else { nodes.iter().find(|other| other.id == node.primary).or(Some(node)) }
}

/// The ports of the node of this id, without TLS and with, in what CLUSTER SHARDS tells of all:
/// `… id <id> [port <port>] [tls-port <port>] …`.
fn ports_of(leaves: &[String], id: &str) -> [Option<u16>; 2] {
    let place = leaves.windows(2).position(|words| words[0] == "id" && words[1] == id);
    let told = place.map_or(&[][..], |place| &leaves[place + 2..leaves.len().min(place + 6)]);
    ["port", "tls-port"].map(|name| {
        let pair = told.chunks_exact(2).take_while(|pair| pair[0].ends_with("port")).find(|pair| pair[0] == name)?;
        pair[1].parse().ok().filter(|port| *port > 0)
    })
}

impl Context<'_> {
    /// How this server names the node to clients that it sends there, as its own redirections do.
    pub fn endpoint_of(self, node: &Node) -> &str {
        match self.setting(c"cluster-preferred-endpoint-type").as_deref() {
            Some("hostname") if node.host.is_empty() => "?",
            Some("hostname") => &node.host,
            // Clients take the one that they have asked.
            Some("unknown-endpoint") => "",
            _ => &node.address,
        }
    }

    /// The port where the node listens to such clients, those that use TLS or not; its other one where it has
    /// none, or this server knows none.
    fn port_of(self, node: &Node, is_tls: bool) -> u16 {
        let leaves = self.ask(c"CLUSTER", &[c"SHARDS"]).map(|answer| answer.leaves()).unwrap_or_default();
        let [plain, tls] = ports_of(&leaves, &node.id);
        let (wanted, other) = if is_tls { (tls, plain) } else { (plain, tls) };
        wanted.or(other).unwrap_or(node.port)
    }

    /// The node's port for this server itself. Source: MIGRATE connects as the cluster's own links do.
    pub fn port_for_migrate(self, node: &Node) -> u16 {
        self.port_of(node, self.setting(c"tls-cluster").as_deref() == Some("yes"))
    }

    /// The node's port for the client behind the running command.
    pub fn port_for_client(self, node: &Node) -> u16 {
        // What stands for a client without a connection must not be asked about.
        const NO_CLIENT: c_int = api::CTX_FLAGS_LUA | api::CTX_FLAGS_LOADING | api::CTX_FLAGS_REPLICATED;
        if self.flags() & NO_CLIENT != 0 {
            return node.port;
        }
        let mut info = ClientInfo { version: 1, flags: 0, id: 0, address: [0; 46], port: 0, database: 0 };
        // SAFETY: the context of a running command; the server fills in what is as its header has it.
        let is_known = unsafe { rm!(GetClientInfoById((&raw mut info), rm!(GetClientId(self.raw())))) == api::OK };
        if is_known { self.port_of(node, info.flags & api::CLIENT_FLAG_SSL != 0) } else { node.port }
    }

    /// The nodes of the cluster that this server is in; none where it is in no cluster, or answers nothing.
    pub fn cluster_nodes(self) -> Vec<Node> {
        let answer = self.ask(c"CLUSTER", &[c"NODES"]);
        let text = answer.and_then(|answer| answer.text()).unwrap_or_default();
        text.lines().filter_map(Node::parse).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_of_a_node() {
        let line = "07c3 127.0.0.1:30004@31004,host-name myself,master - 0 1426238316232 2 connected 0-5460 7000 [93-<-292f] [77->-e7d1]";
        let node = Node::parse(line).unwrap();
        assert_eq!((node.id.as_str(), node.address.as_str(), node.port), ("07c3", "127.0.0.1", 30004));
        assert_eq!(node.host, "host-name");
        assert!(node.is_myself && node.is_primary && node.is_well);
        assert!(node.owns(5460) && node.owns(7000) && !node.owns(5461));
        assert_eq!((node.migrating, node.importing), (vec![77], vec![93]));
    }

    #[test]
    fn ports_are_those_of_the_node() {
        let text =
            "slots 0 99 nodes id 07c3 port 1 tls-port 2 ip ::1 id 292f tls-port 4 ip ::1 id e7d1 port 5 ip ::1 id x port 0 tls-port 8";
        let leaves: Vec<String> = text.split(' ').map(String::from).collect();
        let ports = |id| ports_of(&leaves, id);
        assert_eq!([ports("07c3"), ports("292f"), ports("e7d1")], [[Some(1), Some(2)], [None, Some(4)], [Some(5), None]]);
        assert_eq!([ports("x"), ports("gone")], [[None, Some(8)], [None, None]]);
    }

    #[test]
    fn who_failed_over_is_found_by_its_primary() {
        let lines = [
            "07c3 ::1:1@2 slave 292f 0 1 2 connected",
            "292f ::1:3@4 master - 0 1 2 connected 5",
            "e7d1 ::1:5@6 slave gone 0 1 2 connected",
        ];
        let nodes: Vec<Node> = lines.iter().filter_map(|line| Node::parse(line)).collect();
        let found = |id| primary_of(&nodes, id).map(|node| node.id.as_str());
        assert_eq!((found("07c3"), found("292f"), found("e7d1"), found("gone")), (Some("292f"), Some("292f"), Some("e7d1"), None));
    }

    #[test]
    fn what_cannot_be_reached_is_not_well() {
        let node = Node::parse("07c3 ::1:30004@31004 slave,fail 292f 0 1 2 disconnected").unwrap();
        assert_eq!(node.address, "::1");
        assert!(!node.is_primary && !node.is_well && node.slots.is_empty());
        assert!(Node::parse("07c3 127.0.0.1:1@2 master - 0 1 2 disconnected 5").is_some_and(|node| !node.is_well));
        assert!(Node::parse("vars currentEpoch 7 lastVoteEpoch 0").is_none());
    }
}
