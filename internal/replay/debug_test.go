package replay
import ("testing";"encoding/json";"os";"strconv")
func TestDebug(t *testing.T){
 seed,_:=strconv.Atoi(os.Getenv("SEED")); at,_:=strconv.ParseInt(os.Getenv("AT"),10,64); b4,_:=strconv.ParseInt(os.Getenv("BEFORE"),10,64)
 if at==0 {t.Skip()}
 for _,l:=range record(t,uint64(seed),600){ if int64(l.At)>=at-b4*1e6 && int64(l.At)<=at+1e6 && l.Service==os.Getenv("SVC") { b,_:=json.Marshal(l); t.Log(string(b)) } }
}
