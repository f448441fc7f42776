package web

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/landmark-health/landmark/internal/checkers"
	"github.com/landmark-health/landmark/internal/frontend/frontendtest"
	"github.com/landmark-health/landmark/internal/judge"
	"github.com/landmark-health/landmark/internal/registry"
)

// check checks an answer: its status code, and the beginning of its body.
func (a answer) check(t *testing.T, code int, body string) {
	t.Helper()
	if a.StatusCode != code || !strings.HasPrefix(a.body, body) {
		t.Errorf("the answer to %s is %d %q, want %d %q", a.request, a.StatusCode, a.body, code, body)
	}
	if got := a.Header.Get("Cache-Control"); got != "no-store" {
		t.Errorf("Cache-Control is %q", got)
	}
	if got := a.Header.Get("X-Content-Type-Options"); got != "nosniff" {
		t.Errorf("X-Content-Type-Options is %q", got)
	}
}

// Each path is about its aspect, of one service or of all.
func TestPathsAskAboutTheirAspects(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		p := frontendtest.NewProcess(t, f.registry, "epg",
			judge.Declared{Name: "main loop", Kind: judge.KindLoop, Impact: judge.ImpactCritical, Within: frontendtest.Within},
			judge.Declared{Name: "upstream", Kind: judge.KindCondition, Impact: judge.ImpactReadiness})
		p.Report(registry.Fact{Reached: true}, registry.Fact{Reached: true, Reason: "no answer"})
		frontendtest.NewProcess(t, f.registry, "vod").Start()
		const ready, live = "NOT_SERVING failed: upstream does not hold: no answer\nage: ", "SERVING\nage: "
		for path, want := range map[string]struct {
			code int
			body string
		}{
			"/readyz":                          {503, "NOT_SERVING failed: epg: upstream does not hold: no answer\nage: "},
			"/livez":                           {200, live},
			"/startupz":                        {503, "NOT_SERVING starting: vod: "},
			"/healthz":                         {503, "NOT_SERVING failed: epg: upstream does not hold: no answer\nage: "},
			"/readyz?service=":                 {503, "NOT_SERVING failed: epg: upstream does not hold: no answer\nage: "},
			"/readyz?service=epg":              {503, ready},
			"/livez?service=epg":               {200, live},
			"/startupz?service=epg":            {200, live},
			"/startupz?service=vod":            {503, "NOT_SERVING starting: "},
			"/livez?service=vod":               {200, live},
			"/healthz?service=epg":             {503, ready},
			"/healthz?service=epg-liveness":    {200, live},
			"/healthz?service=liveness":        {200, live},
			"/livez?service=epg&max_age=0":     {200, live},
			"/livez?service=e%70g":             {200, live},
			"/readyz?service=absent":           {404, "SERVICE_UNKNOWN unknown service: no program has reported a service of this name\n"},
			"/livez?service=epg-liveness":      {404, "SERVICE_UNKNOWN"},
			"/readyz?service=readiness":        {404, "SERVICE_UNKNOWN"},
			"/healthz?service=../../etc":       {404, "SERVICE_UNKNOWN"},
			"/healthz?service=%00":             {404, "SERVICE_UNKNOWN"},
			"/readyz?drain=404&service=epg":    {503, ready},
			"/readyz?drain=404&service=absent": {503, "SERVICE_UNKNOWN"},
			"/":                                {503, "NOT_SERVING failed"},
			"/service/epg":                     {503, ready},
			"/service/epg-liveness":            {200, live},
			"/service/absent":                  {404, "SERVICE_UNKNOWN"},
			"/?service=absent":                 {404, "SERVICE_UNKNOWN"},
			"/?servce=epg":                     {400, `there is no parameter "servce"`},
			"/service/epg?drain=503":           {400, `drain is "503": write drain=404`},
			"/service/epg?service=vod":         {400, "the path names a service already: leave service= out"},
			"/service/":                        {503, "NOT_SERVING failed"},
			"/readyz?srevice=epg":              {400, `there is no parameter "srevice": use service, max_age or drain`},
			"/readyz?service=epg&service=x":    {400, "service is there 2 times: give it once"},
			"/readyz?service=epg;max_age=1s":   {400, "the query is no valid list"},
			"/readyz?service=%zz":              {400, "the query is no valid list"},
			"/readyz?max_age=":                 {400, `max_age is "": write it as 250ms`},
			"/readyz?max_age=250":              {400, `max_age is "250": write it as 250ms`},
			"/readyz?max_age=-1s":              {400, `max_age is "-1s": write it as 250ms`},
			"/readyz?drain=503":                {400, `drain is "503": write drain=404`},
			"/readyz/":                         {404, "there is nothing at this path"},
			"//readyz":                         {404, "there is nothing at this path"},
			"/x/../readyz":                     {404, "there is nothing at this path"},
			"/READYZ":                          {404, "there is nothing at this path"},
			"/readyz%2f":                       {404, "there is nothing at this path"},
			"/metrics":                         {404, "there is nothing at this path"},
			"/events":                          {404, "there is nothing at this path"},
			"/index.html":                      {404, "there is nothing at this path"},
			"/-/healthy":                       {200, "landmarkd is healthy."},
			"/-/ready":                         {200, "landmarkd is ready."},
		} {
			f.get(path).check(t, want.code, want.body)
		}
	})
}

// The answer follows the program through its life, at each check.
func TestAnswerFollowsTheProgram(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		p := frontendtest.NewProcess(t, f.registry, "epg")
		c := f.connect()
		defer c.Close()
		ready := func() answer { t.Helper(); return c.request("GET /readyz?service=epg") }
		softStop := func() answer { t.Helper(); return c.request("GET /readyz?service=epg&drain=404") }
		p.Start()
		ready().check(t, 503, "NOT_SERVING starting: ")
		softStop().check(t, 503, "NOT_SERVING starting: ")
		p.Work()
		ready().check(t, 200, "SERVING\nage: 0 ms\n")
		time.Sleep(300 * time.Millisecond)
		ready().check(t, 200, "SERVING\nage: 300 ms\n")
		p.Stall()
		ready().check(t, 503, "NOT_SERVING stalled: main loop ")
		p.Session.Drain(true)
		p.Stall() // a drain does not hide a hang
		softStop().check(t, 503, "NOT_SERVING stalled: main loop ")
		p.Work()
		ready().check(t, 503, "NOT_SERVING draining")
		softStop().check(t, 404, "NOT_SERVING draining")
		c.request("GET /livez?service=epg&drain=404").check(t, 200, "SERVING\n")
	})
}

func TestJSONForClientsThatAcceptIt(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Stall()
		time.Sleep(1500 * time.Millisecond)
		p.Stall()
		time.Sleep(250 * time.Millisecond)
		for _, accept := range []string{"application/json", "text/html;q=0.1, Application/JSON ; q=0.9"} {
			a := f.get("/livez?service=epg", "Accept: "+accept)
			a.check(t, 503, "{")
			if got := a.Header.Get("Content-Type"); got != "application/json" {
				t.Errorf("Content-Type is %q", got)
			}
			var got answerJSON
			if err := json.Unmarshal([]byte(a.body), &got); err != nil {
				t.Fatal(err)
			}
			want := answerJSON{Service: "epg", Status: "NOT_SERVING", Cause: "stalled", Reason: got.Reason, Failing: 1, Age: got.Age, StatusAge: 1.75, Changes: got.Changes}
			if diff := cmp.Diff(want, got); diff != "" || !strings.HasPrefix(got.Reason, "main loop ") || got.Age < 2.25 || got.Age > 2.26 {
				t.Errorf("(-want +got)\n%s", diff)
			}
		}
		for _, accept := range []string{"", "*/*", "text/plain", "application/*", "application/json5"} {
			a := f.get("/livez?service=epg", "Accept: "+accept)
			a.check(t, 503, "NOT_SERVING stalled: ")
			if got := a.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
				t.Errorf("Content-Type is %q", got)
			}
		}
	})
}

// A reason of the program adds no line to the text.
func TestReasonIsOneLine(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		p := frontendtest.NewProcess(t, f.registry, "epg", judge.Declared{Name: "upstream", Kind: judge.KindCondition, Impact: judge.ImpactReadiness})
		p.Report(registry.Fact{Reached: true, Reason: "no\r\nSERVING\x1b[0m"})
		a := f.get("/readyz?service=epg")
		if lines := strings.SplitAfter(a.body, "\n"); len(lines) != 3 || !strings.HasPrefix(lines[0], `NOT_SERVING failed: upstream`) || strings.ContainsAny(a.body, "\r\x1b") {
			t.Errorf("the body is %q", a.body)
		}
	})
}

func TestHEADAndOtherMethods(t *testing.T) {
	inBubble(t, 0, func(c *Config) { c.Page, c.Metrics = textHandler("page"), textHandler("metrics") }, func(t *testing.T, f *fixture) {
		frontendtest.NewProcess(t, f.registry, "epg").Work()
		for path, code := range map[string]int{"/readyz?service=epg": 200, "/readyz?service=absent": 404, "/-/ready": 200, "/metrics": 200, "/static/x": 200} {
			c := f.connect()
			a := c.request("HEAD " + path)
			if a.StatusCode != code || a.body != "" || a.ContentLength <= 0 {
				t.Errorf("HEAD %s: %d %q, %d bytes, want %d", path, a.StatusCode, a.body, a.ContentLength, code)
			}
			c.Close()
		}
		for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "get", "BREW"} {
			for _, path := range []string{"/readyz?service=epg", "/", "/metrics", "*"} {
				if method == "CONNECT" {
					path = "epg:80"
				}
				c := f.connect()
				a := c.request(method + " " + path)
				if a.StatusCode/100 != 4 {
					t.Errorf("%s %s: %d %q", method, path, a.StatusCode, a.body)
				}
				c.Close()
			}
		}
	})
}

// A redirect would be a success for HAProxy and in part for kubelet.
func TestNothingRedirects(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		for _, path := range []string{"/readyz/", "//readyz", "/./readyz", "/a/../readyz", "/readyz//", "///", "/service", "/-", "/-/", "/metrics/"} {
			if a := f.get(path); a.StatusCode/100 != 4 {
				t.Errorf("%s: %d", path, a.StatusCode)
			}
		}
	})
}

// kubelet sends this request for a httpGet probe, and HAProxy this one by default.
func TestRequestsOfKubeletAndHAProxy(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		frontendtest.NewProcess(t, f.registry, "epg").Work()
		for _, request := range []string{
			"GET /livez?service=epg HTTP/1.1\r\nHost: 10.1.2.3:19535\r\nUser-Agent: kube-probe/1.33\r\nAccept: */*\r\nConnection: close\r\n\r\n",
			"GET /readyz?service=epg HTTP/1.0\r\n\r\n",
			"HEAD /readyz?service=epg HTTP/1.0\r\n\r\n",
		} {
			c := f.connect()
			go io.WriteString(c, request)
			if a := c.read(request); a.StatusCode != 200 || !a.Close {
				t.Errorf("%q: %d, close %v", request, a.StatusCode, a.Close)
			}
			c.wantClosedAfter(0)
			c.Close()
		}
	})
}

// While the start grace lasts, a check about a service that may come back waits.
func TestCheckWaitsForTheStartGrace(t *testing.T) {
	inBubble(t, time.Second, nil, func(t *testing.T, f *fixture) {
		f.registry.BeginGrace()
		f.get("/-/ready").check(t, 503, "landmarkd has just started")
		f.get("/-/healthy").check(t, 200, "landmarkd is healthy.")
		began := time.Now()
		time.AfterFunc(300*time.Millisecond, func() { frontendtest.NewProcess(t, f.registry, "epg").Work() })
		f.get("/readyz?service=epg").check(t, 200, "SERVING")
		if took := time.Since(began); took < 300*time.Millisecond || took > time.Second {
			t.Errorf("the answer took %v", took)
		}
		f.get("/readyz?service=absent").check(t, 404, "SERVICE_UNKNOWN")
		if took := time.Since(began); took < 700*time.Millisecond || took > 1100*time.Millisecond {
			t.Errorf("the answer about an absent service came after %v", took)
		}
		time.Sleep(time.Second)
		f.get("/-/ready").check(t, 200, "landmarkd is ready.")
	})
}

// A check with a maximum age asks the main loop, and its answer alone is stalled if that
// does not answer.
func TestMaxAgeAsksTheMainLoop(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		p := frontendtest.NewProcess(t, f.registry, "epg")
		p.Work()
		time.Sleep(time.Second)
		f.get("/readyz?service=epg").check(t, 200, "SERVING\nage: 1 s\n")
		go func() { p.AnswerCommand(<-p.Commands, registry.Fact{Reached: true}) }()
		f.get("/readyz?service=epg&max_age=200ms").check(t, 200, "SERVING\nage: 0 ms\n")
		time.Sleep(500 * time.Millisecond)
		f.get("/readyz?service=epg&max_age=200ms").check(t, 503, "NOT_SERVING stalled: the main loop did not answer the get-state command within 800 ms\n")
		f.get("/readyz?service=epg").check(t, 200, "SERVING\n")
		<-p.Commands
	})
}

// A stop says nothing about a program: a check that waits gets no answer.
func TestStopAnswersNoWaitingCheck(t *testing.T) {
	inBubble(t, time.Hour, nil, func(t *testing.T, f *fixture) {
		f.registry.BeginGrace()
		c := f.connect()
		defer c.Close()
		go io.WriteString(c, "GET /readyz?service=epg HTTP/1.1\r\nHost: x\r\n\r\n")
		synctest.Wait()
		f.stop()
		if b, err := io.ReadAll(c); len(b) > 0 || err != nil {
			t.Errorf("the answer is %q, %v", b, err)
		}
		f.logged(0, "")
	})
}

// Each answered check is recorded with the client's address. Refused requests are not.
func TestCheckersAreRecorded(t *testing.T) {
	inBubble(t, 0, nil, func(t *testing.T, f *fixture) {
		frontendtest.NewProcess(t, f.registry, "epg").Work()
		for range 3 {
			f.get("/readyz?service=epg")
		}
		f.get("/livez?service=epg")
		f.get("/readyz?service=epg&x=1")
		f.get("/-/healthy")
		got := f.checkers.ByService("epg")
		if len(got) != 1 || got[0].Via != checkers.HTTP || got[0].Address() != remote || got[0].Total != 4 {
			t.Errorf("the checkers are %+v", got)
		}
	})
}
