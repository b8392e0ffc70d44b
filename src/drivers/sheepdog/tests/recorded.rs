//! 51 exchanges with a real daemon, as they went over the wire: the client sends these bytes and takes the
//! answers, and the cluster in memory answers with these bytes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use super::connection::Connection;
use super::inode::{data_oid, inode_oid, owner_at};
use super::room::Space;
use super::wire::{Answer, HEADER, Request};
use super::*;

const PIPELINED: &str = "pipelined: three reads in one send";

struct Exchange {
    title: String,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Exchange {
    fn header(&self) -> [u8; HEADER] {
        self.request[..HEADER].try_into().unwrap()
    }

    fn payload(&self) -> Vec<u8> {
        self.request[HEADER..].to_vec()
    }

    fn is_pipelined(&self) -> bool {
        self.title.starts_with(PIPELINED)
    }
}

/// A title, then lines of up to 16 bytes; `*xN` repeats the line above it N times.
fn exchanges() -> Vec<Exchange> {
    let mut found: Vec<Exchange> = Vec::new();
    let mut last: Vec<u8> = Vec::new();
    for line in include_str!("recorded.txt").lines() {
        if let Some(title) = line.strip_prefix("== ") {
            found.push(Exchange { title: title.to_owned(), request: Vec::new(), answer: Vec::new() });
            continue;
        }
        let Some((side @ (">" | "<"), rest)) = line.trim_start().split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start_matches("data ");
        let times = match rest.strip_prefix("*x") {
            Some(times) => times.parse().unwrap(),
            None => {
                last = rest.split_whitespace().skip(1).map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
                assert!((1..=16).contains(&last.len()), "{line}");
                1
            }
        };
        let exchange = found.last_mut().unwrap();
        let bytes = if side == ">" { &mut exchange.request } else { &mut exchange.answer };
        (0..times).for_each(|_| bytes.extend(&last));
    }
    found
}

#[test]
fn all_exchanges_are_read() {
    let exchanges = exchanges();
    assert_eq!(exchanges.len(), 52, "51 requests with ids of their own, and three at once");
    for exchange in exchanges.iter().filter(|exchange| !exchange.is_pipelined()) {
        let length = |bytes: &[u8]| u32::from_le_bytes(bytes[12..16].try_into().unwrap()) as usize;
        let payload = if exchange.request[2] & 1 == 1 { length(&exchange.request) } else { 0 };
        assert_eq!(exchange.request.len(), HEADER + payload, "{}", exchange.title);
        assert_eq!(exchange.answer.len(), HEADER + length(&exchange.answer), "{}", exchange.title);
    }
}

/// Answers the recorded requests, in their order, with the recorded answers.
fn replay() -> (u16, JoinHandle<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let replaying = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut has_own_ids = false;
        for mut exchange in exchanges() {
            let mut came = vec![0; exchange.request.len()];
            stream.read_exact(&mut came).unwrap();
            if exchange.is_pipelined() {
                // Answered in another order, with data that tells which is which.
                for request in came.chunks(HEADER).rev() {
                    let mut answer = vec![0; HEADER];
                    answer[1] = 2;
                    answer[8..16].copy_from_slice(&request[8..16]);
                    answer.extend(vec![request[41]; 1024]);
                    stream.write_all(&answer).unwrap();
                }
                has_own_ids = true;
                continue;
            }
            // Objects are asked for in version 1; the recording has 2.
            if matches!(exchange.request[..2], [2, 1..=5]) {
                assert_eq!(came[0], 1, "{}", exchange.title);
                exchange.request[0] = 1;
            }
            if has_own_ids {
                exchange.request[8..12].copy_from_slice(&came[8..12]);
                exchange.answer[8..12].copy_from_slice(&came[8..12]);
            }
            assert!(came == exchange.request, "{}: not as recorded", exchange.title);
            stream.write_all(&exchange.answer).unwrap();
        }
    });
    (port, replaying)
}

/// The client's own request where it has one of the kind; else the recorded one.
fn own_request(exchange: &Exchange, vid: u32) -> Request {
    let (header, payload) = (exchange.header(), exchange.payload());
    let oid = u64::from_le_bytes(header[16..24].try_into().unwrap());
    let offset = u32::from_le_bytes(header[40..44].try_into().unwrap());
    let length = u32::from_le_bytes(header[12..16].try_into().unwrap());
    let data = vec![bytes::Bytes::from(payload.clone())];
    match &*exchange.title {
        "read_vdis bitmap (2^24 bits)" => Request::read_vdis(),
        "get cluster defaults" => Request::get_cluster_default(),
        "vdi lookup, missing" | "vdi lookup" | "lookup head" | "vdi lookup after delete" => {
            Request::get_vdi_info("vec1")
        }
        "new vdi, 16 MiB" | "new vdi, same name" => Request::new_vdi("vec1", 16 << 20, 0),
        "new vdi for pipelining" => Request::new_vdi("vec2", 16 << 20, 0),
        "delete vdi (head)" | "delete vdi again" => Request::delete_vdi("vec1"),
        "delete vec2" => Request::delete_vdi("vec2"),
        "read inode header (4664 bytes)" => Request::read_object(inode_oid(vid), 0, 4664),
        "inode update data_vdi_id[1] = vid" => {
            Request::write_object(inode_oid(vid), owner_at(1), 1, vec![vid.to_le_bytes().to_vec().into()])
        }
        "read it back, 4096 at 8192" => Request::read_object(data_oid(vid, 1), 8192, 4096),
        _ => match (header[1], header[2]) {
            (1, 1) => Request::create_object(oid, offset, 1, data),
            (2, _) => Request::read_object(oid, offset, length),
            (3, _) => Request::write_object(oid, offset, 1, data),
            _ => {
                let mut header = header;
                header[0] = if matches!(header[..2], [2, 1..=5]) { 1 } else { header[0] };
                Request::raw(header, payload)
            }
        },
    }
}

async fn call(connection: &Connection, request: &Request) -> Result<Answer> {
    let room = Space::Own(4096).room(request.answer_length()).await;
    connection.call(request, room).await.map_err(|lost| lost.error)
}

#[test]
fn the_client_says_what_was_recorded_and_takes_the_answers() {
    let (port, replaying) = replay();
    let talk = async move {
        let stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
        let connection = Arc::new(Connection::over(stream, None));
        let mut vid = 0;
        for exchange in exchanges() {
            if exchange.is_pipelined() {
                let reads = exchange.request.chunks(HEADER).map(|header| {
                    let mut header: [u8; HEADER] = header.try_into().unwrap();
                    header[0] = 1;
                    let connection = connection.clone();
                    tokio::spawn(async move { call(&connection, &Request::raw(header, Vec::new())).await })
                });
                for (number, read) in reads.collect::<Vec<_>>().into_iter().enumerate() {
                    let data = read.await.unwrap()?.data.concat();
                    assert!(data.iter().all(|byte| *byte == 4 * number as u8), "each its own");
                    assert_eq!(data.len(), 1024);
                }
                continue;
            }
            let answer = call(&connection, &own_request(&exchange, vid)).await?;
            let recorded = u32::from_le_bytes(exchange.answer[16..20].try_into().unwrap());
            assert_eq!(answer.result(), recorded, "{}", exchange.title);
            assert!(answer.data.concat() == exchange.answer[HEADER..], "{}", exchange.title);
            if exchange.title == "new vdi, 16 MiB" {
                vid = answer.vid()?;
                assert_eq!(vid, 0x4B_9ADC);
            }
        }
        Ok(())
    };
    Runtime::shared().run(&Operation::default(), talk).unwrap();
    replaying.join().unwrap();
}

#[test]
fn the_cluster_in_memory_answers_what_was_recorded() {
    let server = Server::start(Config::default());
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
    for mut exchange in exchanges() {
        stream.write_all(&exchange.request).unwrap();
        if exchange.is_pipelined() {
            stream.read_exact(&mut vec![0; 3 * (HEADER + 1024)]).unwrap();
            continue;
        }
        let mut came = vec![0; exchange.answer.len()];
        stream.read_exact(&mut came).unwrap();
        // What differs from run to run: garbage, and the time of creation.
        let ignored = match &*exchange.title {
            "new vdi, same name" => 24..36,
            "read inode header (4664 bytes)" => HEADER + 512..HEADER + 520,
            _ => 0..0,
        };
        for bytes in [&mut came, &mut exchange.answer] {
            bytes[ignored.clone()].fill(0);
        }
        assert!(came == exchange.answer, "{}: {:x?}", exchange.title, &came[..HEADER]);
    }
}
