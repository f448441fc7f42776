package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/landmark-health/landmark/internal/describe"
	"github.com/landmark-health/landmark/internal/terminal"
	adminv1 "github.com/landmark-health/landmark/proto/gen/landmark/admin/v1"
)

// evidence fetches what was seen of the service's processes, the oldest first.
func (c *adminClient) evidence(ctx context.Context, name string) (all []*adminv1.EvidenceResponse, err error) {
	err = c.call(ctx, func(ctx context.Context, admin adminv1.AdminServiceClient) error {
		stream, err := admin.Evidence(ctx, &adminv1.EvidenceRequest{Service: name})
		if err != nil {
			return err
		}
		for {
			e, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			all = append(all, e)
		}
	})
	return all, err
}

// showEvidence shows the evidence of a service in the format.
func showEvidence(o output, all []*adminv1.EvidenceResponse, f format, now time.Time) error {
	if f == asTable {
		return evidenceText(o, all, now)
	}
	messages := make([]json.RawMessage, len(all))
	for i, e := range all {
		m, err := message(e)
		if err != nil {
			return err
		}
		messages[i] = m
	}
	return o.document(map[string]any{"evidence": messages})
}

// evidenceText shows the evidence, with times in the zone of now, below the change that it
// belongs to.
func evidenceText(o output, all []*adminv1.EvidenceResponse, now time.Time) error {
	if len(all) == 0 {
		_, err := fmt.Fprintln(o.out, "There is no evidence: since landmarkd started, no Alive, Deadline or Loop of the service has failed, and no process was silent.")
		return err
	}
	var b strings.Builder
	for i, e := range all {
		c := e.GetChange()
		switch {
		case c == nil:
			fmt.Fprintf(&b, "%s  %s\n", terminal.Clock(e.GetTime().AsTime(), now), describe.EvidenceTrigger(e.GetLandmarks(), false))
		case i == 0 || !proto.Equal(c, all[i-1].GetChange()):
			fmt.Fprintf(&b, "%s  %s %s  %s\n", terminal.Clock(c.GetTime().AsTime(), now),
				o.Paint(terminal.Red, terminal.Printable(c.GetStatus())), terminal.Printable(c.GetCause()), terminal.Printable(c.GetReason()))
		}
		fmt.Fprintf(&b, "    %s: %s\n", describe.EvidenceSource(e.GetInstance(), int(e.GetPid()), e.GetSource() == adminv1.EvidenceSource_EVIDENCE_SOURCE_PROGRAM), terminal.Printable(e.GetSummary()))
		for line := range strings.Lines(e.GetText()) {
			if line = strings.TrimRight(line, "\n"); line != "" {
				line = "        " + terminal.Printable(strings.ReplaceAll(line, "\t", "    "))
			}
			b.WriteString(line + "\n")
		}
	}
	_, err := io.WriteString(o.out, b.String())
	return err
}
