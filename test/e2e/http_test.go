//go:build e2e

package e2e_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// httpAnswer is an answer over HTTP.
type httpAnswer struct {
	code   int
	header http.Header
	body   string
}

// do sends a request over a connection of its own, with TLS if c is not nil.
func do(r *http.Request, c *tls.Config) (httpAnswer, error) {
	transport := &http.Transport{TLSClientConfig: c, DisableKeepAlives: true}
	client := http.Client{Transport: transport, Timeout: testTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a, err := client.Do(r)
	if err != nil {
		return httpAnswer{}, err
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	return httpAnswer{a.StatusCode, a.Header, string(body)}, err
}

// httpGet requests a path of the sidecar, with headers of the form NAME: VALUE.
func (e *env) httpGet(path string, headers ...string) httpAnswer {
	e.t.Helper()
	r, err := http.NewRequest("GET", "http://"+e.http+path, nil)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	a, err := do(r, nil)
	if err != nil {
		return httpAnswer{body: "error: " + err.Error()}
	}
	return a
}

// checkHTTP checks over HTTP.
func checkHTTP(e *env, service string) string {
	a := e.httpGet("/healthz?service=" + url.QueryEscape(service))
	status, _, _ := strings.Cut(a.body, "\n")
	status, _, _ = strings.Cut(status, ": ")
	switch {
	case a.code == 200 && status == "SERVING":
		return "SERVING none"
	case a.code == 503 && strings.HasPrefix(status, "NOT_SERVING "), a.code == 404 && strings.HasPrefix(status, "SERVICE_UNKNOWN "):
		return status
	}
	return fmt.Sprintf("error: %d %s", a.code, a.body)
}

// Each path answers as its aspect is, through the life of a program.
func TestHTTPPathsFollowTheProgram(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("1s")
	expect := func(path string, code int, body string) {
		t.Helper()
		if a := e.httpGet(path); a.code != code || !strings.HasPrefix(a.body, body) || a.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: got %d %q, Cache-Control %q, want %d %q", path, a.code, a.body, a.header.Get("Cache-Control"), code, body)
		}
	}
	for _, path := range []string{"/readyz", "/livez", "/startupz", "/healthz"} {
		expect(path, 200, "SERVING\nage: ")
		expect(path+"?service=epg", 200, "SERVING\nage: ")
		expect(path+"?service=epg&max_age=20s", 200, "SERVING\nage: ")
		expect(path+"?service=absent", 404, "SERVICE_UNKNOWN unknown service: ")
		expect(path+"?servce=epg", 400, `there is no parameter "servce"`)
	}
	expect("/-/healthy", 200, "landmarkd is healthy.")
	expect("/-/ready", 200, "landmarkd is ready.")
	expect("/no/such/path", 404, "there is nothing at this path")

	e.landmark(0, "drain", "epg")
	expect("/readyz?service=epg", 503, "NOT_SERVING draining: ")
	expect("/readyz?service=epg&drain=404", 404, "NOT_SERVING draining: ")
	expect("/livez?service=epg&drain=404", 200, "SERVING\n")
	e.landmark(0, "resume", "epg")
	e.await(checkHTTP, "epg", "SERVING none")

	server.signal(syscall.SIGUSR1)
	e.await(checkHTTP, "epg-liveness", "NOT_SERVING stalled")
	expect("/livez?service=epg", 503, "NOT_SERVING stalled: main loop ")
	expect("/readyz?service=epg&drain=404", 503, "NOT_SERVING stalled: main loop ")
	expect("/startupz?service=epg", 200, "SERVING\n")
	var answer struct {
		Service, Status, Cause, Reason string
		Weight                         int
		Age                            float64
	}
	a := e.httpGet("/readyz?service=epg", "Accept: application/json")
	if err := json.Unmarshal([]byte(a.body), &answer); err != nil || a.code != 503 || answer.Service != "epg" || answer.Status != "NOT_SERVING" || answer.Cause != "stalled" || !strings.HasPrefix(answer.Reason, "main loop ") || answer.Age <= 0 {
		t.Errorf("in JSON: got %d %s, %v", a.code, a.body, err)
	}
	server.signal(syscall.SIGUSR2)
	e.await(checkHTTP, "epg", "SERVING none")

	server.kill()
	e.await(checkHTTP, "epg-liveness", "NOT_SERVING lost")
	if out, _ := e.landmark(0, "status", "epg"); !strings.Contains(out, "127.0.0.1") || !strings.Contains(out, "http") {
		t.Errorf("landmark status shows no checker over HTTP:\n%s", out)
	}
}

// A check with max_age asks the main loop: facts in memory do not do.
func TestHTTPMaxAgeAsksTheMainLoop(t *testing.T) {
	parallel(t)
	e := newEnv(t)
	server, _ := e.epg("30s")
	if a := e.httpGet("/readyz?service=epg&max_age=1ms"); a.code != 200 {
		t.Errorf("of a loop that answers: got %d %q", a.code, a.body)
	}
	server.signal(syscall.SIGUSR1)
	server.awaitLine("the main loop hangs")
	time.Sleep(10 * time.Millisecond) // now the loop's last answer is older than max_age
	if a := e.httpGet("/readyz?service=epg&max_age=1ms"); a.code != 503 || !strings.HasPrefix(a.body, "NOT_SERVING stalled: the main loop did not answer") {
		t.Errorf("of a loop that hangs: got %d %q", a.code, a.body)
	}
	if a := e.httpGet("/readyz?service=epg"); a.code != 200 {
		t.Errorf("without max_age: got %d %q", a.code, a.body)
	}
}

// HTTP over TLS is for clients with a certificate and a password, where the file says so.
// The file is read again while landmarkd runs.
func TestHTTPWebConfig(t *testing.T) {
	parallel(t)
	dir := t.TempDir()
	ca := issue(t, dir, "ca", nil)
	issue(t, dir, "server", ca)
	issue(t, dir, "client", ca)
	pool := x509.NewCertPool()
	pool.AddCert(ca.Leaf)
	file := filepath.Join(dir, "web.yaml")
	const users = "basic_auth_users:\n  kubelet: \"" + correctHorse + "\"\n"
	const server = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
	const clients = "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.pem\n"
	write(t, file, server+clients+users)
	e := prepareEnv(t)
	e.start("-web-config", file)
	e.epg("5s")
	anonymous := &tls.Config{RootCAs: pool}
	client := anonymous.Clone()
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "client.pem"), filepath.Join(dir, "client.key"))
	if err != nil {
		t.Fatal(err)
	}
	client.Certificates = []tls.Certificate{pair}
	expect := func(scheme string, c *tls.Config, password string, code int) {
		t.Helper()
		r, err := http.NewRequest("GET", scheme+"://"+e.http+"/readyz?service=epg", nil)
		if err != nil {
			t.Fatal(err)
		}
		if password != "" {
			r.SetBasicAuth("kubelet", password)
		}
		if a, err := do(r, c); a.code != code || (err != nil) != (code == 0) {
			t.Errorf("%s, password %q: got %d %q, %v, want %d", scheme, password, a.code, a.body, err, code)
		}
	}
	expect("https", client, "correct horse", 200)
	expect("https", client, "wrong", 401)
	expect("https", client, "", 401)
	expect("https", anonymous, "correct horse", 0)
	expect("http", nil, "correct horse", 400)
	replace(t, file, server+users)
	expect("https", anonymous, "correct horse", 200)
	replace(t, file, server)
	expect("https", anonymous, "", 200)
	e.await(checkUDP, "epg", "SERVING none") // HTTP's file changes nothing for others
}

// correctHorse is the hash of "correct horse" by bcrypt.
const correctHorse = "$2a$04$xmwoZ8aEzjh.u0I9H1O2SO2jAxKhtydAhSI2YgvZIUNvsnrSyJya6"

// A wrong file is refused, by the check as by a start.
func TestHTTPWebConfigIsChecked(t *testing.T) {
	parallel(t)
	file := filepath.Join(t.TempDir(), "web.yaml")
	write(t, file, "basic_auth_users:\n  kubelet: plain text\n")
	for _, flags := range [][]string{{"-check-config"}, {"-agent-socket", "", "-monitor", "", "-grpc", "", "-http", "127.0.0.1:0"}} {
		code, _, stderr := runProgram(t, program("landmarkd"), append(flags, "-web-config", file)...)
		if code != 2 || !strings.HasPrefix(stderr, "landmarkd: -web-config "+file+": ") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: got exit code %d, %s, want 2 and one line", flags, code, stderr)
		}
	}
	write(t, file, "basic_auth_users:\n  kubelet: \""+correctHorse+"\"\n")
	if code, stdout, stderr := runProgram(t, program("landmarkd"), "-check-config", "-web-config", file); code != 0 || stdout != file+" is valid\n" {
		t.Errorf("got exit code %d, %s%s, want 0", code, stdout, stderr)
	}
}

// replace replaces a file at once, because it may be read at any time.
func replace(t *testing.T, path, text string) {
	t.Helper()
	write(t, path+".new", text)
	if err := syscall.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// issue writes a certificate for 127.0.0.1, by ca or else by itself, to NAME.pem, and its
// key to NAME.key.
func issue(t *testing.T, dir, name string, ca *tls.Certificate) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: ca == nil, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, signer := template, any(key)
	if ca != nil {
		parent, signer = ca.Leaf, ca.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, name+".pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, filepath.Join(dir, name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}
