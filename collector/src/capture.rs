//! Reads datagrams from pcap, pcapng and raw payload files.
