// Package lmp reads and writes the frames of the Landmark monitoring protocol,
// LMP 1: one request about a service, one answer, over UDP or TCP port 19533.
//
// A checker writes its request with [AppendRequest] and reads the answer with
// [ParseAnswer]; a server uses [ParseRequest] and [AppendAnswer]. Package
// lmp/probe is a client for the network. Only [ReadKeys] does I/O here. Reading a
// request and writing an answer allocate nothing. All functions are safe for
// concurrent use.
//
// # Wire format
//
// Everything is big-endian. A frame is 32 fixed bytes, then optional fields,
// 65,535 bytes at most.
//
//	offset size  in a request                      in an answer
//	     0    2  magic 4C 4D ("LM")                same
//	     2    1  version 01                        same
//	     3    1  kind: 01 CHECK, 02 WATCH,         kind + 80
//	             03 DESCRIBE
//	     4    1  0                                 status: 0 unknown, 1 serving,
//	                                               2 not serving, 3 unknown service
//	     5    1  0                                 cause: 0 none, 1 starting,
//	                                               2 stalled, 3 failed, 4 lost,
//	                                               5 stopped, 6 draining, 7 stale,
//	                                               8 unreported, 9 recovering,
//	                                               10 unknown service
//	     6    2  length of the whole frame         same
//	     8    8  nonce                             the request's nonce
//	    16    4  max_age, ms (0: as the service    16: weight, 0 to 100 (1)
//	             is configured)                    17: landmarks failing (1)
//	                                               18: flag bits (2): 0001 degraded,
//	                                                   0002 truncated
//	    20    4  0                                 age of the facts, ms
//	    24    4  0                                 age of the status, ms
//	    28    4  0                                 change counter
//	    32    …  fields                            fields
//
// Times that do not fit into 32 bits of milliseconds (49.7 days) are sent as
// FF FF FF FF.
//
// A field is its type (1), the length of its value (1), and the value:
//
//	01  request   service name; absent means "", all services together
//	02  either    padding with any content, any number of times
//	03  answer    landmark: kind (1), state (1), impact (1), 0 (1), age in ms (4),
//	              value (8, IEEE 754), name (the rest)
//	04  answer    reason, UTF-8, at most 255 bytes, cut at a rune
//	7F  either    authentication: key number (4), then the first 16 bytes of the
//	              HMAC-SHA-256 over every byte of the frame before those 16
//
// Field 7F comes last. Fields 03 and 04 are for DESCRIBE. An answer to CHECK or
// WATCH has no field but 7F, so it has 32 bytes, or 54 when signed. An answer to
// CHECK is serving if and only if it begins with 4C 4D 01 81 01.
//
// A frame is malformed if its magic, version or kind is none of the above, if
// its length is less than 32 or more than the bytes received, if a field overruns
// it, if field 01 or 04 occurs twice, if field 03 has fewer than 16 bytes, or if
// field 7F is not the last or does not have 20 bytes. A datagram's bytes after the
// frame are padding.
//
// # Versions
//
//	1  the first.
//
// Additions to version 1 use new fields, new numbers in the tables above, or the
// reserved bytes. So a reader skips unknown fields, ignores reserved bytes and flag
// bits, and treats an unknown status as not serving. A writer sends zero in
// everything that is reserved. A change that such a reader would misunderstand
// needs version 2.
//
// docs/lmp.md is the specification, with reasons and examples.
package lmp
