package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"time"
)

//go:embed assets
var assetFiles embed.FS

// asset is a file that browsers get.
type asset struct {
	text []byte
	kind string // media type
	etag string
}

// mediaTypes are those of the files by extension. They are written here because the
// machine's own list may say something else.
var mediaTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".svg":  "image/svg+xml",
	"":      "text/plain; charset=utf-8", // a licence
}

// assets are the files by path.
var assets = readAssets()

func readAssets() map[string]asset {
	all := make(map[string]asset)
	root, err := fs.Sub(assetFiles, "assets")
	if err == nil {
		err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := fs.ReadFile(root, name)
			all[name] = asset{text, mediaTypes[path.Ext(name)], fmt.Sprintf("%q", fmt.Sprintf("%x", sha256.Sum256(text))[:16])}
			return err
		})
	}
	if err != nil {
		panic(err) // a mistake in the build
	}
	return all
}

// serveAsset answers with the file. A browser asks each time whether its copy is the
// latest, so that an upgrade of landmarkd needs no reload.
func serveAsset(w http.ResponseWriter, r *http.Request, name string) {
	a, ok := assets[name]
	if !ok {
		http.Error(w, "there is no such file", http.StatusNotFound)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", a.etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.text))
}
