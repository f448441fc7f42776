package lmp

// afterNonce is where a frame goes on after the nonce.
const afterNonce = 16

// AppendRepeated appends the answer to the request in frame for each request that b begins
// with and that differs from it in the nonce alone, with that nonce. It returns the result,
// and how many there are. The answer has no fields and is not signed, and neither are the
// requests verified: a server with keys verifies each request.
func AppendRepeated(dst, answer, frame, b []byte) (_ []byte, n int) {
	for ; len(b) >= len(frame); b = b[len(frame):] {
		if string(b[:8]) != string(frame[:8]) || string(b[afterNonce:len(frame)]) != string(frame[afterNonce:]) {
			break
		}
		dst = append(dst, answer[:8]...)
		dst = append(dst, b[8:afterNonce]...)
		dst = append(dst, answer[afterNonce:HeaderLength]...)
		n++
	}
	return dst, n
}
