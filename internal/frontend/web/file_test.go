package web

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/logtest"
	"github.com/landmark-health/landmark/internal/registry"
	"github.com/landmark-health/landmark/internal/socket"
)

// authority issues certificates.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
}

// newAuthority returns an authority whose certificate is in name.pem.
func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	a := &authority{dir: dir, pool: x509.NewCertPool()}
	a.cert, a.key = a.issue(t, name)
	a.pool.AddCert(a.cert)
	return a
}

// issue writes a certificate of the authority, or of itself if that has none yet, to
// name.pem, and its key to name.key.
func (a *authority) issue(t *testing.T, name string) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
		DNSNames:     []string{name},
		IsCA:         a.cert == nil, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, parentKey := template, key
	if a.cert != nil {
		parent, parentKey = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), parentKey)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(a.dir, name+".pem"), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	write(t, filepath.Join(a.dir, name+".key"), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// pair returns the certificate and the key of a name.
func (a *authority) pair(t *testing.T, name string) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// write replaces the file at once, as a reader may read it at any time.
func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// serve runs a server with the toolkit's file on loopback until the test ends. epg serves.
func serve(t *testing.T, file string) (address string, log *logtest.Buffer) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r, log := frontendtest.NewRegistry(t, 0), new(logtest.Buffer)
	patient := judge.DefaultPolicy
	patient.StaleAfter = time.Hour // the program reports once, and the machine may be slow
	r.Configure(map[string]registry.Policy{"epg": {Policy: patient}}, nil)
	frontendtest.NewProcess(t, r, "epg").Work()
	s, err := New(Config{Listener: l, File: file, Source: r, Checkers: frontendtest.NewTracker(), Page: seesEvidence, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() { stopped <- s.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-stopped; err != nil {
			t.Errorf("Run returned %v", err)
		}
	})
	return s.Addr().String(), log
}

// over returns a client with the TLS configuration, nil = plain HTTP.
func over(t *testing.T, c *tls.Config) *http.Client {
	transport := &http.Transport{TLSClientConfig: c, DisableKeepAlives: true, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// get requests the URL, by a Host that is no loopback address, so that evidence depends
// on who the client proves to be.
func get(client *http.Client, url string, userinfo ...string) (code int, body string, err error) {
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return 0, "", err
	}
	r.Host = "epg.example"
	if len(userinfo) == 2 {
		r.SetBasicAuth(userinfo[0], userinfo[1])
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	if answer.ProtoMajor != 1 {
		return 0, "", errors.New("the protocol is " + answer.Proto)
	}
	b, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(b), err
}

func TestTLSAndClientCertificates(t *testing.T) {
	dir := t.TempDir()
	ca, other := newAuthority(t, dir, "ca"), newAuthority(t, dir, "other-ca")
	ca.issue(t, "server")
	ca.issue(t, "operator")
	other.issue(t, "stranger")
	file := filepath.Join(dir, "web.yaml")
	const server = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
	const clients = server + "  client_auth_type: %s\n  client_ca_file: ca.pem\n"
	write(t, file, server)
	address, log := serve(t, file)
	anonymous := over(t, &tls.Config{RootCAs: ca.pool})
	operator := over(t, &tls.Config{RootCAs: ca.pool, Certificates: []tls.Certificate{ca.pair(t, "operator")}})
	strange := other.pair(t, "stranger")
	stranger := over(t, &tls.Config{RootCAs: ca.pool, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		return &strange, nil // though the server says that it does not know the issuer
	}})
	expect := func(name string, client *http.Client, path string, code int, body string) {
		t.Helper()
		gotCode, got, err := get(client, "https://"+address+path)
		if gotCode != code || !strings.HasPrefix(got, body) || (code == 0) != (err != nil) {
			t.Errorf("%s: %s: got %d %q, %v; want %d %q", name, path, gotCode, got, err, code, body)
		}
	}
	for _, client := range []*http.Client{anonymous, operator, stranger} {
		expect("TLS alone", client, "/readyz?service=epg", 200, "SERVING\n")
		expect("TLS alone", client, "/static/page", 200, "false")
	}
	if code, _, err := get(over(t, nil), "http://"+address+"/readyz"); err == nil && code != http.StatusBadRequest {
		t.Errorf("plain HTTP at the port of TLS: %d", code)
	}

	// The file is read again for each connection.
	write(t, file, strings.Replace(clients, "%s", "VerifyClientCertIfGiven", 1))
	expect("if given", anonymous, "/static/page", 200, "false")
	expect("if given", operator, "/static/page", 200, "true")
	expect("if given", stranger, "/static/page", 0, "")
	write(t, file, strings.Replace(clients, "%s", "RequireAndVerifyClientCert", 1))
	expect("required", anonymous, "/readyz?service=epg", 0, "")
	expect("required", operator, "/readyz?service=epg", 200, "SERVING\n")
	expect("required", operator, "/static/page", 200, "true")
	expect("required", stranger, "/readyz?service=epg", 0, "")
	// Any certificate is no proof.
	write(t, file, server+"  client_auth_type: RequireAnyClientCert\n")
	expect("any", stranger, "/static/page", 200, "false")
	// A wrong file lets no client in.
	write(t, file, "tls_server_config: 7\n")
	expect("wrong file", operator, "/readyz?service=epg", 0, "")
	write(t, file, server)
	expect("right again", anonymous, "/readyz?service=epg", 200, "SERVING\n")
	if n := log.Count("\n"); n != 1 || log.Count("HTTP requests or connections failed") != 1 {
		t.Errorf("the log is %q", log)
	}
}

func TestUsers(t *testing.T) {
	hash := func(password string) string {
		b, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	file := filepath.Join(t.TempDir(), "web.yaml")
	write(t, file, "basic_auth_users:\n  anna: "+hash("right")+"\n")
	address, _ := serve(t, file)
	client := over(t, nil)
	expect := func(path string, code int, body string, userinfo ...string) {
		t.Helper()
		gotCode, got, err := get(client, "http://"+address+path, userinfo...)
		if gotCode != code || !strings.HasPrefix(got, body) || err != nil {
			t.Errorf("%s as %q: got %d %q, %v; want %d %q", path, userinfo, gotCode, got, err, code, body)
		}
	}
	for _, path := range []string{"/readyz?service=epg", "/static/page", "/-/healthy", "/metrics"} {
		expect(path, 401, "Unauthorized")
	}
	expect("/static/page", 401, "Unauthorized", "anna", "wrong") // of few, after which it would wait
	expect("/readyz?service=epg", 401, "Unauthorized", "bob", "right")
	for range 2 {
		expect("/readyz?service=epg", 200, "SERVING\n", "anna", "right")
		expect("/static/page", 200, "true", "anna", "right")
	}
	write(t, file, "basic_auth_users:\n  anna: "+hash("new")+"\n")
	expect("/static/page", 401, "Unauthorized", "anna", "right")
	expect("/static/page", 200, "true", "anna", "new")
	// Without users, a name proves nothing.
	write(t, file, "http_server_config:\n  headers:\n    X-Frame-Options: deny\n")
	expect("/static/page", 200, "false", "anna", "new")
	expect("/static/page", 200, "false")
	write(t, file, "basic_auth_users: 7\n")
	expect("/readyz?service=epg", 500, "Internal Server Error", "anna", "new")
}

// The user of a request is known only by what the file says then.
func TestKnownUsers(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("right"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "web.yaml")
	u := users{file: file}
	knows := func(name, password string) bool {
		r, _ := http.NewRequest("GET", "/", nil)
		r.SetBasicAuth(name, password)
		return u.knows(r)
	}
	if knows("anna", "right") {
		t.Error("a user is known without a file")
	}
	write(t, file, "basic_auth_users:\n  anna: "+string(hash)+"\n  eve: \"\"\n")
	for range 2 {
		if !knows("anna", "right") || knows("anna", "wrong") || knows("anna", "") || knows("bob", "right") || knows("eve", "") || knows("", "") {
			t.Error("the wrong users are known")
		}
	}
	write(t, file, "{}\n")
	if knows("anna", "right") {
		t.Error("a removed user is known")
	}
}

func TestWrongFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	newAuthority(t, dir, "ca")
	file := filepath.Join(dir, "web.yaml")
	for text, says := range map[string]string{
		"tls_server_config: 7\n":                                                                  "cannot unmarshal",
		"tls_sever_config: {}\n":                                                                  "field tls_sever_config not found",
		"tls_server_config:\n  cert_file: ca.pem\n":                                               "missing one of key or key_file",
		"tls_server_config:\n  cert_file: ca.pem\n  key_file: absent.key\n":                       "absent.key",
		"tls_server_config:\n  cert_file: ca.key\n  key_file: ca.key\n":                           "X509KeyPair",
		"basic_auth_users:\n  anna: secret\n":                                                     "hashedSecret too short",
		"http_server_config:\n  headers:\n    Server: x\n":                                        `HTTP header "Server" can not be configured`,
		"tls_server_config:\n  cert_file: ca.pem\n  key_file: ca.key\n  client_ca_file: ca.pem\n": "without a Client Auth Policy",
	} {
		write(t, file, text)
		if _, err := New(Config{File: file}); err == nil || !strings.HasPrefix(err.Error(), file+": ") || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: got error %v, want one that contains %q", text, err, says)
		}
	}
	absent := filepath.Join(dir, "absent")
	if err := CheckFile(absent); err == nil || err.Error() != absent+": no such file or directory; give the path of a YAML file that landmarkd may read" {
		t.Errorf("an absent file: %v", err)
	}
	if err := CheckFile(""); err != nil {
		t.Error(err)
	}
	write(t, file, "")
	if err := CheckFile(file); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

// A client that begins no handshake is disconnected.
func TestUnfinishedHandshakeTimesOut(t *testing.T) {
	dir := t.TempDir()
	newAuthority(t, dir, "ca")
	file := filepath.Join(dir, "web.yaml")
	write(t, file, "tls_server_config:\n  cert_file: ca.pem\n  key_file: ca.key\n")
	inBubble(t, 0, func(c *Config) { c.File = file }, func(t *testing.T, f *fixture) {
		for _, begin := range []string{"", "\x16\x03\x01"} {
			c := f.connect()
			io.WriteString(c, begin)
			c.wantClosedAfter(socket.FrameTimeout)
			c.Close()
		}
	})
}
