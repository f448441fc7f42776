// Package lmp reads and writes the frames of the Landmark monitoring protocol,
// LMP 1: one question about a service, one answer, over UDP or TCP port 19533.
//
// A checker builds its question with [AppendRequest] and reads the reply with
// [ParseAnswer]; a server uses [ParseRequest] and [AppendAnswer]. Package
// lmp/probe asks over the network. Nothing here does I/O but [ReadKeys].
// Reading a request and writing an answer allocate nothing, and all functions
// may be called from any goroutine.
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
//	    16    4  max_age, ms (0: the service's     16: weight, 0 to 100 (1)
//	             own)                              17: landmarks failing (1)
//	                                               18: flag bits (2): 0001 degraded,
//	                                                   0002 truncated
//	    20    4  0                                 age of the facts, ms
//	    24    4  0                                 how long the status has stood, ms
//	    28    4  0                                 change counter
//	    32    …  fields                            fields
//
// Times that do not fit into 32 bits of milliseconds (49.7 days) are sent as
// FF FF FF FF.
//
// A field is its type (1), the length of its value (1), and the value:
//
//	01  request   service name; absent means "", the whole of all services
//	02  either    padding, of any content, any number of times
//	03  answer    landmark: kind (1), state (1), impact (1), 0 (1), age in ms (4),
//	              value (8, IEEE 754), name (the rest)
//	04  answer    reason, UTF-8, at most 255 bytes, cut at a rune
//	7F  either    authentication: key number (4), then HMAC-SHA-256 cut to 16
//	              bytes, over every byte of the frame before those 16
//
// Field 7F comes last. Fields 03 and 04 are for DESCRIBE: an answer to CHECK or
// WATCH carries no field but 7F, so it has 32 bytes, or 54 when signed, and the
// bytes 4C 4D 01 81 01 and nothing else begin a serving answer to CHECK.
//
// A frame is malformed if its magic, version or kind is none of the above, if
// its length is under 32 or more than there is, if a field overruns it, if 01
// or 04 occurs twice, if 03 is under 16 bytes, or if 7F is not last or not of
// 20 bytes. A datagram's bytes after the frame count as padding.
//
// # Versions
//
//	1  the first.
//
// What is added to version 1 in the future comes as new fields, as new numbers
// in the tables above, or in the reserved bytes. So readers skip the fields that
// they do not know, ignore reserved bytes and flag bits, and take a status that
// they do not know for one that is not serving; writers send zero in all that
// is reserved. Anything that such a reader would misunderstand needs version 2.
//
// The specification with its reasons and examples is docs/lmp.md.
package lmp
